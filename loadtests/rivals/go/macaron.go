// Macaron's session middleware on MySQL, as Grafana once had it. Debian's package is of 2015; but for the condition of
// GC, a later MySQL provider sends the same statements.
// A session has no list of its keys, so the visitor's data is one value of it.
package main

import (
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/go-macaron/session"
	_ "github.com/go-macaron/session/mysql"
	"gopkg.in/macaron.v1"
)

// The table of https://go-macaron.com/middlewares/session.
const table = "CREATE TABLE `session` (" +
	"`key` CHAR(16) NOT NULL, " +
	"`data` BLOB, " +
	"`expiry` INT(11) UNSIGNED NOT NULL, " +
	"PRIMARY KEY (`key`)" +
	") ENGINE=MyISAM DEFAULT CHARSET=utf8"

func macaronOnMySQL() http.Handler {
	macaron.Env = macaron.PROD
	site := macaron.New()
	site.Use(macaron.Recovery())
	site.Use(session.Sessioner(session.Options{
		Provider:       "mysql",
		ProviderConfig: mysqlAddress(),
		CookieName:     "session",
	}))
	site.Get("/api/session", func(ctx *macaron.Context, kept session.Store) {
		answer(ctx.Resp, map[string]any{"server": server, "user": kept.Get("user"), "data": dataOf(kept)})
	})
	write := func(ctx *macaron.Context, kept session.Store) {
		data := dataOf(kept)
		value, err := change(ctx.Req.Request, data)
		if err != nil {
			http.Error(ctx.Resp, err.Error(), http.StatusBadRequest)
			return
		}
		kept.Set("data", data)
		answer(ctx.Resp, value)
	}
	site.Route("/api/session/:kind/:key", "PUT,DELETE,POST", write)
	site.Post("/api/login", func(ctx *macaron.Context, kept session.Store) {
		user, err := userOf(ctx.Req.Request)
		if err != nil {
			http.Error(ctx.Resp, err.Error(), http.StatusBadRequest)
			return
		}
		renewed, err := kept.RegenerateId(ctx)
		if err != nil {
			panic(err)
		}
		renewed.Set("user", user)
		// The middleware saves the session under the old id only, as it was when the request began.
		if err := renewed.Release(); err != nil {
			panic(err)
		}
		answer(ctx.Resp, map[string]any{"user": user})
	})
	site.Post("/api/logout", func(ctx *macaron.Context, kept session.Store) {
		if err := kept.Destory(ctx); err != nil {
			panic(err)
		}
		answer(ctx.Resp, nil)
	})
	return site
}

func dataOf(kept session.Store) map[string]any {
	if data, ok := kept.Get("data").(map[string]any); ok {
		return data
	}
	return map[string]any{}
}

func mysqlAddress() string {
	host := os.Getenv("DB_HOST")
	if host == "" {
		host = "db"
	}
	password, err := os.ReadFile(os.Getenv("DB_PASSWORD_FILE"))
	must(err)
	return fmt.Sprintf("%s:%s@tcp(%s)/%s",
		os.Getenv("DB_USER"), strings.TrimSpace(string(password)), host, os.Getenv("DB_NAME"))
}

func createTable() {
	database, err := sql.Open("mysql", mysqlAddress())
	must(err)
	_, err = database.Exec(table)
	must(err)
}
