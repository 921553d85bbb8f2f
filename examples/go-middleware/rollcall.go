package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// Account is what Rollcall says about whoever sends a request.
type Account struct {
	ID          int64          `json:"id"`
	Email       string         `json:"email"`
	Role        string         `json:"role"`
	Preferences map[string]any `json:"preferences"`
}

// Rollcall asks the service at URL whose token a request has. It takes an answer for good as long as Fresh says: so long does somebody
// stay in who was suspended.
type Rollcall struct {
	URL    string
	Client *http.Client
	Fresh  time.Duration

	mutex sync.Mutex
	known map[string]answer
}

type answer struct {
	account Account
	until   time.Time
}

// refusal is an answer of Rollcall that lets nobody in: its status and its problem, as application/problem+json.
type refusal struct {
	status int
	body   []byte
}

func (refusal) Error() string { return "refused by Rollcall" }

type contextKey struct{}

// AccountOf returns the account that Require has found.
func AccountOf(request *http.Request) Account {
	return request.Context().Value(contextKey{}).(Account)
}

// Require calls next for requests with an account alone, and answers others as Rollcall does.
func (rollcall *Rollcall) Require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		account, err := rollcall.accountOf(request.Context(), request.Header.Get("Authorization"))
		var refused refusal
		switch {
		case errors.As(err, &refused):
			writer.Header().Set("Content-Type", "application/problem+json")
			writer.WriteHeader(refused.status)
			writer.Write(refused.body)
		case err != nil:
			// Not a word about why to whoever asks, and nobody is let in meanwhile.
			writer.Header().Set("Retry-After", "1")
			http.Error(writer, "The accounts cannot be reached.", http.StatusServiceUnavailable)
		default:
			next.ServeHTTP(writer, request.WithContext(context.WithValue(request.Context(), contextKey{}, account)))
		}
	})
}

// RequireAdmin calls next for admins alone.
func (rollcall *Rollcall) RequireAdmin(next http.Handler) http.Handler {
	return rollcall.Require(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if AccountOf(request).Role != "admin" {
			http.Error(writer, "This is for admins.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(writer, request)
	}))
}

func (rollcall *Rollcall) accountOf(ctx context.Context, authorization string) (Account, error) {
	if account, isKnown := rollcall.find(authorization); isKnown {
		return account, nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, rollcall.URL+"/v1/me", nil)
	if err != nil {
		return Account{}, err
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := rollcall.Client.Do(request)
	if err != nil {
		return Account{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return Account{}, err
	}
	if response.StatusCode != http.StatusOK {
		return Account{}, refusal{response.StatusCode, body}
	}
	var account Account
	if err := json.Unmarshal(body, &account); err != nil {
		return Account{}, err
	}
	rollcall.remember(authorization, account)
	return account, nil
}

func (rollcall *Rollcall) find(authorization string) (Account, bool) {
	rollcall.mutex.Lock()
	defer rollcall.mutex.Unlock()
	found, isKnown := rollcall.known[authorization]
	return found.account, isKnown && time.Now().Before(found.until)
}

func (rollcall *Rollcall) remember(authorization string, account Account) {
	rollcall.mutex.Lock()
	defer rollcall.mutex.Unlock()
	// Only good tokens are remembered, and not more than there is room for.
	if rollcall.known == nil || len(rollcall.known) >= 10_000 {
		rollcall.known = make(map[string]answer)
	}
	rollcall.known[authorization] = answer{account, time.Now().Add(rollcall.Fresh)}
}
