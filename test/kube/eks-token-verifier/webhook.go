package main

import (
	"encoding/json"
	"log"
	"net/http"

	authentication "k8s.io/api/authentication/v1"
	"sigs.k8s.io/aws-iam-authenticator/pkg/token"
)

// webhook answers TokenReviews: a token that verifies becomes the Kubernetes user that its access key is mapped to.
type webhook struct {
	verifier token.Verifier
	keys     map[string]accessKey
}

func (w *webhook) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	var review authentication.TokenReview
	if err := json.NewDecoder(request.Body).Decode(&review); err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	judged := authentication.TokenReview{TypeMeta: review.TypeMeta, Status: w.judge(review.Spec.Token)}
	answer.Header().Set("content-type", "application/json")
	_ = json.NewEncoder(answer).Encode(judged)
}

func (w *webhook) judge(candidate string) authentication.TokenReviewStatus {
	identity, err := w.verifier.Verify(candidate)
	if err != nil {
		log.Print("denied: ", err)
		return authentication.TokenReviewStatus{Error: err.Error()}
	}
	key, known := w.keys[identity.AccessKeyID]
	if !known || key.Username == "" {
		log.Print("not mapped: ", identity.CanonicalARN)
		return authentication.TokenReviewStatus{}
	}
	log.Print("granted: ", identity.CanonicalARN, " as ", key.Username)
	return authentication.TokenReviewStatus{Authenticated: true, User: authentication.UserInfo{
		Username: key.Username,
		Groups:   key.Groups,
		UID:      "aws-iam-authenticator:" + identity.AccountID + ":" + identity.UserID,
		Extra:    map[string]authentication.ExtraValue{"canonicalArn": {identity.CanonicalARN}},
	}}
}
