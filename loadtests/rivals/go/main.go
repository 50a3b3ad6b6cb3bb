// The probe API on the session store that PEER names. ../probe.py is the same for Python's stores.
package main

import (
	"encoding/gob"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/go-macaron/session"
)

// The name that signs each answer.
var server string

// Set by the Dockerfile: the package does not tell its version.
var redistoreVersion string

// store is one session store: the handler of all requests that have a session, and its version.
type store struct {
	handler func() http.Handler
	version string
}

var stores = map[string]store{
	"macaron":   {macaronOnMySQL, session.Version()},
	"redistore": {gorillaOnRedis, redistoreVersion},
}

func main() {
	chosen := stores[os.Getenv("PEER")]
	switch strings.Join(os.Args[1:], " ") {
	case "create-tables":
		createTable()
	case "version":
		fmt.Println(chosen.version)
	default:
		serve(chosen.handler())
	}
}

func serve(api http.Handler) {
	hostname, err := os.Hostname()
	must(err)
	server = "web-" + hostname
	routes := http.NewServeMux()
	healthy := func(http.ResponseWriter, *http.Request) {}
	routes.HandleFunc("/readyz", healthy)
	routes.HandleFunc("/healthz", healthy)
	routes.HandleFunc("/api/stateless", func(response http.ResponseWriter, _ *http.Request) {
		answer(response, map[string]any{"server": server})
	})
	routes.Handle("/api/", api)
	log.Fatal(http.ListenAndServe(":8000", http.HandlerFunc(
		func(response http.ResponseWriter, request *http.Request) {
			response.Header().Set("X-Served-By", server)
			response.Header().Set("Cache-Control", "no-store")
			routes.ServeHTTP(response, request)
		})))
}

func init() {
	// The types that JSON becomes, for encoding/gob, in which both stores write.
	gob.Register(map[string]any{})
	gob.Register([]any{})
	gob.Register(json.Number(""))
}

// change does to a session's data what the request asks for, and returns the answer, nil for none.
func change(request *http.Request, data map[string]any) (any, error) {
	parts := strings.Split(strings.TrimPrefix(request.URL.Path, "/api/session/"), "/")
	if len(parts) != 2 {
		return nil, fmt.Errorf("no such path: %s", request.URL.Path)
	}
	key := parts[1]
	switch request.Method + " " + parts[0] {
	case "PUT data":
		value, err := decoded(request.Body)
		data[key] = value
		return nil, err
	case "DELETE data":
		delete(data, key)
		return nil, nil
	case "POST counters":
		count, _ := data[key].(int)
		data[key] = count + 1
		return map[string]any{"value": count + 1}, nil
	case "POST lists":
		item, err := decoded(request.Body)
		items, _ := data[key].([]any)
		items = append(items, item)
		data[key] = items
		return map[string]any{"length": len(items)}, err
	}
	return nil, fmt.Errorf("no such request: %s %s", request.Method, request.URL.Path)
}

// decoded returns a JSON value. A number is kept as it was written: as a float64, 1.0 would become 1.
func decoded(body io.Reader) (value any, err error) {
	decoder := json.NewDecoder(body)
	decoder.UseNumber()
	err = decoder.Decode(&value)
	return value, err
}

// userOf returns the user whom a login names.
func userOf(request *http.Request) (string, error) {
	var login struct{ User string }
	err := json.NewDecoder(request.Body).Decode(&login)
	return login.User, err
}

// answer writes a value as JSON, or 204 for nil.
func answer(response http.ResponseWriter, value any) {
	if value == nil {
		response.WriteHeader(http.StatusNoContent)
		return
	}
	response.Header().Set("Content-Type", "application/json")
	json.NewEncoder(response).Encode(value)
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
