// The probe API on @fastify/session with express-mysql-session, both with their defaults: every session is saved, also
// a new and empty one (saveUninitialized), after every request (rolling). ../express/server.js is the same for Express.

'use strict';

const fs = require('node:fs');
const os = require('node:os');
const fastifyCookie = require('@fastify/cookie');
const fastifySession = require('@fastify/session');
const MySQLStore = require('express-mysql-session')(fastifySession);
const fastify = require('fastify');

const server = `web-${os.hostname()}`;

async function serve() {
  const store = new MySQLStore({
    host: process.env.DB_HOST || 'db',
    user: process.env.DB_USER,
    password: fs.readFileSync(process.env.DB_PASSWORD_FILE, 'utf8').trim(),
    database: process.env.DB_NAME,
  });
  await store.onReady();

  const app = fastify();
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'X-Served-By': server, 'Cache-Control': 'no-store' });
  });
  app.get('/healthz', async () => '');
  app.get('/readyz', async () => '');
  app.get('/api/stateless', async () => ({ server }));
  app.register(withSession, { store });
  await app.listen({ port: 8000, host: '0.0.0.0' });
}

// A scope of its own, so that the routes above read no session.
async function withSession(app, { store }) {
  app.register(fastifyCookie);
  app.register(fastifySession, {
    secret: 'only for the comparison, of 32 characters',
    cookieName: 'session',
    cookie: { secure: false }, // There is no TLS here.
    store,
  });
  app.get('/api/session', async ({ session }) => {
    const { cookie, _user: user = null, ...data } = session;
    return { server, user, data };
  });
  app.put('/api/session/data/:key', async ({ session, params, body }, reply) => {
    session[params.key] = body;
    reply.code(204);
  });
  app.delete('/api/session/data/:key', async ({ session, params }, reply) => {
    delete session[params.key];
    reply.code(204);
  });
  app.post('/api/session/counters/:key', async ({ session, params: { key } }) => {
    session[key] = (session[key] || 0) + 1;
    return { value: session[key] };
  });
  app.post('/api/session/lists/:key', async ({ session, params: { key }, body }) => {
    session[key] = [...(session[key] || []), body];
    return { length: session[key].length };
  });
  app.post('/api/login', async (request) => {
    const { cookie, ...data } = request.session;
    await request.session.regenerate(Object.keys(data));
    request.session._user = request.body.user;
    return { user: request.body.user };
  });
  app.post('/api/logout', async (request, reply) => {
    await request.session.destroy();
    reply.clearCookie('session', { path: '/' }).code(204);
  });
}

serve();
