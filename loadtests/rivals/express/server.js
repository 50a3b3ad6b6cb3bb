// The probe API on express-session and the store named by PEER.
// resave and saveUninitialized as express-session's documentation recommends; each store with its defaults,
// so a read extends the expiry (a touch), and tables are made by themselves. `server.js create-tables` lets them be
// made before several servers do so at once. ../probe.py is the same for Python's stores.

'use strict';

const cluster = require('node:cluster');
const fs = require('node:fs');
const os = require('node:os');
const express = require('express');
const session = require('express-session');

const workers = Number(process.env.NODE_WORKERS || 1);
const server = `web-${os.hostname()}`;

// Undefined: as many as the driver has without a setting.
const connections = Number(process.env.DB_CONNECTIONS) || undefined;

function database() {
  return {
    host: process.env.DB_HOST || 'db',
    user: process.env.DB_USER,
    password: fs.readFileSync(process.env.DB_PASSWORD_FILE, 'utf8').trim(),
    database: process.env.DB_NAME,
  };
}

// Each returns a store that is ready.
const stores = {
  'express-mysql-session': async () => {
    const MySQLStore = require('express-mysql-session')(session);
    const store = new MySQLStore({ ...database(), connectionLimit: connections });
    await store.onReady();
    return store;
  },
  'connect-session-knex': async () => {
    const { ConnectSessionKnexStore } = require('connect-session-knex');
    const pool = { min: 0, max: connections };
    const knex = require('knex')({ client: 'mysql2', connection: database(), pool });
    const store = new ConnectSessionKnexStore({ knex });
    await new Promise((resolve, reject) => store.length((error) => (error ? reject(error) : resolve())));
    return store;
  },
  'connect-redis': async () => {
    const { RedisStore } = require('connect-redis');
    const client = require('redis').createClient({ url: 'redis://valkey:6379' });
    // Or a lost connection would end the process, as the client's documentation warns.
    client.on('error', console.error);
    await client.connect();
    return new RedisStore({ client });
  },
};

async function serve() {
  const store = await stores[process.env.PEER]();
  const app = express();
  app.disable('etag'); // Useless for an answer that is not stored.
  app.disable('x-powered-by');
  app.use((request, response, next) => {
    response.set({ 'X-Served-By': server, 'Cache-Control': 'no-store' });
    next();
  });
  // Above the session middleware, so no session is read.
  app.get(['/healthz', '/readyz'], (request, response) => response.end());
  app.get('/api/stateless', (request, response) => response.json({ server }));
  app.use(session({
    name: 'session',
    secret: 'only for the comparison',
    resave: false,
    saveUninitialized: false,
    store,
  }));
  app.use(express.json({ strict: false }));

  app.get('/api/session', (request, response) => {
    const { cookie, _user: user = null, ...data } = request.session;
    response.json({ server, user, data });
  });
  app.put('/api/session/data/:key', (request, response) => {
    request.session[request.params.key] = request.body;
    response.status(204).end();
  });
  app.delete('/api/session/data/:key', (request, response) => {
    delete request.session[request.params.key];
    response.status(204).end();
  });
  app.post('/api/session/counters/:key', (request, response) => {
    const { key } = request.params;
    request.session[key] = (request.session[key] || 0) + 1;
    response.json({ value: request.session[key] });
  });
  app.post('/api/session/lists/:key', (request, response) => {
    const { key } = request.params;
    request.session[key] = [...(request.session[key] || []), request.body];
    response.json({ length: request.session[key].length });
  });
  app.post('/api/login', (request, response, next) => {
    const { cookie, ...data } = request.session;
    request.session.regenerate((error) => {
      if (error) return next(error);
      Object.assign(request.session, data, { _user: request.body.user });
      request.session.save((error) => {
        if (error) return next(error);
        response.json({ user: request.body.user });
      });
    });
  });
  app.post('/api/logout', (request, response, next) => {
    request.session.destroy((error) => {
      if (error) return next(error);
      response.clearCookie('session').status(204).end();
    });
  });
  app.listen(8000);
}

if (process.argv[2] === 'create-tables') {
  stores[process.env.PEER]().then(() => process.exit());
} else if (workers === 1) {
  serve();
} else if (cluster.isPrimary) {
  for (let number = 0; number < workers; number += 1) cluster.fork();
  cluster.on('exit', () => process.exit(1)); // An error at once, instead of half the speed.
} else {
  serve();
}
