// Command eks-token-verifier judges EKS tokens with the code that judges them on EKS: pkg/token of
// sigs.k8s.io/aws-iam-authenticator. AWS is not asked: STS is played in-process (see sts.go).
//
//	eks-token-verifier verify  -cluster ID -keys keys.json TOKEN
//	    exit 0 and the identity as JSON, or exit 1 and the authenticator's error
//	eks-token-verifier webhook -cluster ID -keys keys.json -listen 127.0.0.1:PORT -cert C -key K
//	    a TokenReview webhook (authentication.k8s.io/v1) for kube-apiserver
//
// keys.json maps access key ids to what AWS and the cluster know about them; see accessKey in sts.go.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"

	"sigs.k8s.io/aws-iam-authenticator/pkg/token"
)

type options struct {
	cluster, keysFile, listen, certFile, keyFile string
	arguments                                    []string
}

func parseOptions(arguments []string) options {
	var parsed options
	flags := flag.NewFlagSet("eks-token-verifier", flag.ExitOnError)
	flags.StringVar(&parsed.cluster, "cluster", "", "cluster id that tokens must be signed for")
	flags.StringVar(&parsed.keysFile, "keys", "", "file with the access keys that STS knows")
	flags.StringVar(&parsed.listen, "listen", "127.0.0.1:0", "address of the webhook")
	flags.StringVar(&parsed.certFile, "cert", "", "serving certificate of the webhook, PEM")
	flags.StringVar(&parsed.keyFile, "key", "", "its key, PEM")
	_ = flags.Parse(arguments)
	parsed.arguments = flags.Args()
	return parsed
}

func readKeys(file string) map[string]accessKey {
	text, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	keys := map[string]accessKey{}
	if err := json.Unmarshal(text, &keys); err != nil {
		log.Fatal(err)
	}
	return keys
}

func main() {
	if len(os.Args) < 2 {
		log.Fatal("usage: eks-token-verifier verify|webhook [flags]")
	}
	parsed := parseOptions(os.Args[2:])
	keys := readKeys(parsed.keysFile)
	// The authenticator builds its HTTP client without a transport, so it uses the default one at the time of the call.
	http.DefaultTransport = &playedSTS{keys: keys}
	verifier := token.NewVerifier(parsed.cluster, "aws", "")
	switch os.Args[1] {
	case "verify":
		verifyOnce(verifier, parsed)
	case "webhook":
		http.Handle("/authenticate", &webhook{verifier: verifier, keys: keys})
		log.Fatal(http.ListenAndServeTLS(parsed.listen, parsed.certFile, parsed.keyFile, nil))
	default:
		log.Fatalf("unknown command %q", os.Args[1])
	}
}

func verifyOnce(verifier token.Verifier, parsed options) {
	if len(parsed.arguments) != 1 {
		log.Fatal("verify takes one token")
	}
	identity, err := verifier.Verify(parsed.arguments[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(identity)
}
