// The yardstick: node:https that sends the same bytes for every request. Started as a process of its own.
import { readFileSync } from 'node:fs';
import https from 'node:https';

const [certFile, keyFile, caFile, bytes] = process.argv.slice(2);
const body = Buffer.alloc(Number(bytes), 'x');
const server = https.createServer(
  {
    cert: readFileSync(certFile),
    key: readFileSync(keyFile),
    ca: readFileSync(caFile),
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
  },
  (request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
    response.end(body);
  },
);
server.listen(0, '127.0.0.1', () => process.send({ type: 'ready', port: server.address().port }));
process.on('SIGTERM', () => process.exit(0));
process.on('disconnect', () => process.exit(0));
