# frozen_string_literal: true

# The probe API on the session of a store. ../probe.py is the same for Python's stores.

require "json"
require "rack/utils"
require "socket"

module Probe
  SERVER = "web-#{Socket.gethostname}"

  # Returns the status and the JSON text of an answer. Names with a leading underscore are the framework's, and
  # the user. login does the framework's steps for a visitor who gets more rights; logout ends the session.
  def self.respond(method, path, body, session, login:, logout:)
    case [method, *path.split("/").drop(2)]
    in "GET", "session"
      data = session.to_hash.reject { |name, _| name.start_with?("_") }
      [200, JSON.generate(server: SERVER, user: session["_user"], data:)]
    in "PUT", "session", "data", key
      session[Rack::Utils.unescape_path(key)] = JSON.parse(body)
      [204, nil]
    in "DELETE", "session", "data", key
      session.delete(Rack::Utils.unescape_path(key))
      [204, nil]
    in "POST", "session", "counters", key
      value = session[key] = (session[key] || 0) + 1
      [200, JSON.generate(value:)]
    in "POST", "session", "lists", key
      items = session[key] = [*session[key], JSON.parse(body)]
      [200, JSON.generate(length: items.length)]
    in "POST", "login"
      login.call
      user = session["_user"] = JSON.parse(body)["user"]
      [200, JSON.generate(user:)]
    in "POST", "logout"
      logout.call
      [204, nil]
    else
      [404, JSON.generate(status: 404)]
    end
  end
end
