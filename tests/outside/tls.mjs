// SPDX-License-Identifier: Apache-2.0
// What a provider behind TLS needs, for the tests: a certificate authority made on the spot with
// openssl, the provider of provider.mjs over https and HTTP/2, and proxies (CONNECT in clear or over
// TLS, SOCKS5) that write down who came and what passed. Loopback, free ports, one directory.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { temporary } from './mete.mjs';
import { Provider } from './provider.mjs';

function openssl(args, cwd) {
  const done = spawnSync('openssl', args, { cwd, encoding: 'utf8', timeout: 30000 });
  if (done.status !== 0) throw new Error(`openssl ${args.join(' ')}: ${done.stderr}`);
}

/** A certificate authority with a directory of its own; file is its certificate. */
export class Authority {
  constructor(name) {
    this.directory = temporary();
    this.file = path.join(this.directory, 'ca.pem');
    openssl(['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
      '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', `/CN=${name}`,
      '-addext', 'basicConstraints=critical,CA:TRUE'], this.directory);
  }

  /** {cert, key, certFile, keyFile} for a name such as IP:127.0.0.1 or DNS:elsewhere. */
  issue(name, { days = 1, use = 'serverAuth' } = {}) {
    this.issued = (this.issued ?? 0) + 1;
    const base = `leaf-${this.issued}`;
    fs.writeFileSync(path.join(this.directory, `${base}.ext`), `subjectAltName=${name}\nextendedKeyUsage=${use}\n`);
    openssl(['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
      '-keyout', `${base}.key`, '-out', `${base}.csr`, '-subj', '/CN=leaf'], this.directory);
    openssl(['x509', '-req', '-in', `${base}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial',
      '-out', `${base}.pem`, '-days', String(days), '-extfile', `${base}.ext`], this.directory);
    const certFile = path.join(this.directory, `${base}.pem`);
    const keyFile = path.join(this.directory, `${base}.key`);
    return { cert: fs.readFileSync(certFile), key: fs.readFileSync(keyFile), certFile, keyFile };
  }
}

/** The provider of the tests over TLS. http2: offer it beside 1.1. options: of Node's TLS server. */
export class SecureProvider extends Provider {
  constructor(prices, leaf, { http2: offers = true, seed = 1, ...options } = {}) {
    super(prices, { seed });
    const settings = { cert: leaf.cert, key: leaf.key, ...options };
    this.handshakes = 0;
    this.versions = [];
    const answer = (request, response) => {
      this.answer(request, response).catch((error) => {
        if (!response.headersSent) response.writeHead(500).end(String(error));
        else response.stream?.destroy();
      });
    };
    this.server = offers
      ? http2.createSecureServer({ ...settings, allowHTTP1: true, settings: { maxConcurrentStreams: 1000 } }, answer)
      : https.createServer(settings, answer);
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    this.server.on('secureConnection', () => { this.handshakes += 1; });
    this.server.on('sessionError', () => {});
  }

  async start() {
    await super.start();
    this.url = this.url.replace('http:', 'https:');
    return this;
  }

  answer(request, response) {
    this.versions.push(request.httpVersion);
    return super.answer(request, response);
  }
}

class Listening {
  async listen(server) {
    this.server = server;
    this.sockets = new Set();
    this.connections = 0;
    server.on('connection', (socket) => {
      this.connections += 1;
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
    this.port = server.address().port;
    return this;
  }

  async stop() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((done) => { this.server.close(done); });
  }
}

/** A proxy for CONNECT: who asked for what with which headers, and every byte that passed. */
export class ConnectProxy extends Listening {
  async start({ leaf, refuse } = {}) {
    this.asked = [];
    this.passed = [];
    const server = leaf ? https.createServer({ cert: leaf.cert, key: leaf.key }) : http.createServer();
    server.on('request', (request, response) => {
      this.asked.push({ target: request.url, headers: request.headers });
      response.writeHead(501).end();
    });
    server.on('connect', (request, socket, head) => {
      this.asked.push({ target: request.url, headers: request.headers });
      socket.on('error', () => {});
      if (refuse) {
        socket.end(`HTTP/1.1 ${refuse} No\r\nContent-Length: 0\r\n\r\n`);
        return;
      }
      const [host, port] = request.url.split(':');
      const there = net.connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 Connection established\r\nX-Proxy: here\r\n\r\n');
        there.write(head);
        this.join(socket, there);
      });
      there.on('error', () => socket.destroy());
    });
    await this.listen(server);
    this.url = `${leaf ? 'https' : 'http'}://127.0.0.1:${this.port}`;
    return this;
  }

  join(here, there) {
    here.on('data', (bytes) => { this.passed.push(bytes); there.write(bytes); });
    there.on('data', (bytes) => { this.passed.push(bytes); here.write(bytes); });
    here.on('close', () => there.destroy());
    there.on('close', () => here.destroy());
  }

  get bytes() { return Buffer.concat(this.passed); }
}

/** SOCKS5 (RFC 1928) with user and password (RFC 1929), for CONNECT alone. */
export class SocksProxy extends ConnectProxy {
  async start() {
    this.asked = [];
    this.passed = [];
    const server = net.createServer((socket) => {
      socket.once('data', (hello) => {
        const wanted = hello.subarray(2).includes(2) ? 2 : 0;
        socket.write(Buffer.from([5, wanted]));
        if (wanted === 0) { this.await(socket, ''); return; }
        socket.once('data', (login) => {
          const user = login.subarray(2, 2 + login[1]).toString();
          const password = login.subarray(3 + login[1], 3 + login[1] + login[2 + login[1]]).toString();
          socket.write(Buffer.from([1, 0]));
          this.await(socket, `${user}:${password}`);
        });
      });
    });
    await this.listen(server);
    this.url = `socks5h://127.0.0.1:${this.port}`;
    return this;
  }

  await(socket, login) {
    socket.once('data', (request) => {
      const named = request[3] === 3;
      const host = named ? request.subarray(5, 5 + request[4]).toString() : [...request.subarray(4, 8)].join('.');
      const port = request.readUInt16BE(named ? 5 + request[4] : 8);
      this.asked.push({ target: `${host}:${port}`, named, login });
      const there = net.connect(port, named ? '127.0.0.1' : host, () => {
        socket.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
        this.join(socket, there);
      });
      there.on('error', () => socket.destroy());
    });
  }
}
