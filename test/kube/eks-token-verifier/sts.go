package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// accessKey is what AWS (secret, session token, principal) and the cluster (user name, groups) know about a key id.
type accessKey struct {
	Secret   string   `json:"secret"`
	Token    string   `json:"token"`
	ARN      string   `json:"arn"`
	Account  string   `json:"account"`
	UserID   string   `json:"userId"`
	Username string   `json:"username"`
	Groups   []string `json:"groups"`
}

// playedSTS answers presigned GetCallerIdentity requests as AWS STS does: it signs the request again with the AWS SDK's
// own signer and compares the signatures.
type playedSTS struct {
	keys map[string]accessKey
}

type refusal struct{ code, message string }

func (r refusal) Error() string { return r.code + ": " + r.message }

func badSignature(format string, values ...any) error {
	return refusal{"SignatureDoesNotMatch", fmt.Sprintf(format, values...)}
}

// RoundTrip makes playedSTS the transport of an http.Client.
func (s *playedSTS) RoundTrip(request *http.Request) (*http.Response, error) {
	key, err := s.judge(request)
	var refused refusal
	if errors.As(err, &refused) {
		return answer(request, http.StatusForbidden, map[string]any{
			"Error":     map[string]string{"Code": refused.code, "Message": refused.message, "Type": "Sender"},
			"RequestId": "local",
		}), nil
	}
	if err != nil {
		return nil, err
	}
	return answer(request, http.StatusOK, map[string]any{
		"GetCallerIdentityResponse": map[string]any{
			"GetCallerIdentityResult": map[string]string{"Account": key.Account, "Arn": key.ARN, "UserId": key.UserID},
			"ResponseMetadata":        map[string]string{"RequestId": "local"},
		},
	}), nil
}

// scope is the credential of a presigned request: key id, day, region.
type scope struct{ keyID, day, region string }

func parseScope(credential string) (scope, error) {
	parts := strings.Split(credential, "/")
	if len(parts) != 5 || parts[3] != "sts" || parts[4] != "aws4_request" {
		return scope{}, badSignature("bad credential scope %s", credential)
	}
	return scope{parts[0], parts[1], parts[2]}, nil
}

// signedAt reads the signing time: it must fit the scope's day and lie within AWS's window.
func signedAt(date string, in scope) (time.Time, error) {
	at, err := time.Parse("20060102T150405Z", date)
	if err != nil || at.Format("20060102") != in.day {
		return at, badSignature("date and credential scope differ")
	}
	if age := time.Since(at); age > 15*time.Minute || age < -5*time.Minute {
		return at, badSignature("Signature expired: %s", date)
	}
	return at, nil
}

func checkRegion(host string, in scope) error {
	parts := strings.Split(host, ".")
	if len(parts) > 3 && parts[0] == "sts" && parts[1] != in.region {
		return badSignature("Credential should be scoped to a valid region, not '%s'.", in.region)
	}
	return nil
}

func (s *playedSTS) judge(request *http.Request) (accessKey, error) {
	query := request.URL.Query()
	in, err := parseScope(query.Get("X-Amz-Credential"))
	if err != nil {
		return accessKey{}, err
	}
	key, known := s.keys[in.keyID]
	if !known || query.Get("X-Amz-Security-Token") != key.Token {
		return key, refusal{"InvalidClientTokenId", "The security token included in the request is invalid."}
	}
	at, err := signedAt(query.Get("X-Amz-Date"), in)
	if err != nil {
		return key, err
	}
	if err := checkRegion(request.URL.Host, in); err != nil {
		return key, err
	}
	expected, err := signature(request, key, in, at)
	if err != nil {
		return key, err
	}
	if expected != query.Get("X-Amz-Signature") {
		return key, badSignature("The request signature we calculated does not match the signature you provided.")
	}
	return key, nil
}

var signingParameters = []string{
	"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Security-Token",
}

// signature signs the request once more, with the same headers at the same time, and returns the signature alone.
func signature(request *http.Request, key accessKey, in scope, at time.Time) (string, error) {
	query := request.URL.Query()
	signedHeaders := strings.Split(query.Get("X-Amz-SignedHeaders"), ";")
	for _, name := range signingParameters {
		query.Del(name)
	}
	unsigned := *request.URL
	unsigned.RawQuery = query.Encode()
	again, err := http.NewRequest(request.Method, unsigned.String(), nil)
	if err != nil {
		return "", err
	}
	for _, name := range signedHeaders {
		if name != "host" {
			again.Header.Set(name, request.Header.Get(name))
		}
	}
	empty := sha256.Sum256(nil)
	credentials := aws.Credentials{AccessKeyID: in.keyID, SecretAccessKey: key.Secret, SessionToken: key.Token}
	signed, _, err := v4.NewSigner().PresignHTTP(
		context.Background(), credentials, again, hex.EncodeToString(empty[:]), "sts", in.region, at)
	if err != nil {
		return "", err
	}
	signedURL, err := url.Parse(signed)
	if err != nil {
		return "", err
	}
	return signedURL.Query().Get("X-Amz-Signature"), nil
}

func answer(request *http.Request, status int, body any) *http.Response {
	text, _ := json.Marshal(body)
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Request: request, Header: http.Header{"Content-Type": {"application/json"}},
		ContentLength: int64(len(text)), Body: io.NopCloser(bytes.NewReader(text)),
	}
}
