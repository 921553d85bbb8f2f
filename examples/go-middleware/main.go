// An app in Go whose users and roles are in Rollcall.
package main

import (
	"cmp"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	fresh, err := time.ParseDuration(cmp.Or(os.Getenv("FRESH"), "5s"))
	if err != nil {
		log.Fatalf("FRESH must be a duration such as 5s: %v", err)
	}
	rollcall := &Rollcall{
		URL:    cmp.Or(os.Getenv("ROLLCALL_URL"), "http://127.0.0.1:8000"),
		Client: &http.Client{Timeout: 5 * time.Second},
		Fresh:  fresh,
	}

	routes := http.NewServeMux()
	routes.Handle("GET /hello", rollcall.Require(http.HandlerFunc(hello)))
	routes.Handle("GET /report", rollcall.RequireAdmin(http.HandlerFunc(report)))

	address := "127.0.0.1:" + cmp.Or(os.Getenv("PORT"), "3000")
	log.Printf("http://%s", address)
	log.Fatal(http.ListenAndServe(address, routes))
}

func hello(writer http.ResponseWriter, request *http.Request) {
	account := AccountOf(request)
	fmt.Fprintf(writer, "Hello %s, your theme is %v.\n", account.Email, account.Preferences["theme"])
}

func report(writer http.ResponseWriter, request *http.Request) {
	fmt.Fprintf(writer, "A report for %s.\n", AccountOf(request).Email)
}
