// gorilla/sessions on redistore, as the README of redistore shows it.
package main

import (
	"log"
	"net/http"

	"github.com/boj/redistore"
	"github.com/gorilla/sessions"
)

// For the signature of the cookie. The same on every server; a constant, as nothing here is worth forging.
const secret = "only for the comparison"

func gorillaOnRedis() http.Handler {
	kept, err := redistore.NewRediStore(10, "tcp", "valkey:6379", "", []byte(secret))
	must(err)
	routes := http.NewServeMux()
	handle := func(path string, act func(*http.Request, http.ResponseWriter, *sessions.Session) (any, error)) {
		routes.HandleFunc(path, func(response http.ResponseWriter, request *http.Request) {
			current, err := kept.Get(request, "session")
			if err != nil {
				log.Print(err) // And on with an empty session, as the README does.
			}
			if current.Values["data"] == nil {
				current.Values["data"] = map[string]any{}
			}
			value, err := act(request, response, current)
			if err != nil {
				http.Error(response, err.Error(), http.StatusInternalServerError)
				return
			}
			answer(response, value)
		})
	}
	handle("/api/session", func(_ *http.Request, _ http.ResponseWriter, current *sessions.Session) (any, error) {
		values := current.Values
		return map[string]any{"server": server, "user": values["user"], "data": values["data"]}, nil
	})
	handle("/api/session/", func(request *http.Request, response http.ResponseWriter, current *sessions.Session) (any, error) {
		value, err := change(request, current.Values["data"].(map[string]any))
		if err != nil {
			return nil, err
		}
		return value, current.Save(request, response)
	})
	handle("/api/login", func(request *http.Request, response http.ResponseWriter, current *sessions.Session) (any, error) {
		user, err := userOf(request)
		if err != nil {
			return nil, err
		}
		// gorilla/sessions has no call for a new id: this deletes the session, then saves it as a new one.
		maxAge := current.Options.MaxAge
		if err := end(request, response, current); err != nil {
			return nil, err
		}
		current.ID, current.Options.MaxAge = "", maxAge
		current.Values["user"] = user
		return map[string]any{"user": user}, current.Save(request, response)
	})
	handle("/api/logout", func(request *http.Request, response http.ResponseWriter, current *sessions.Session) (any, error) {
		return nil, end(request, response, current)
	})
	return routes
}

func end(request *http.Request, response http.ResponseWriter, current *sessions.Session) error {
	current.Options.MaxAge = -1
	return current.Save(request, response)
}
