// One client of the flood benchmark: requests as ready bytes over plain TLS connections, each sent again the moment that
// it is answered, whatever the answer. argv: JSON of {host, port, caPem, request: {method, path, headers, body}, protocol,
// connections, streams, intervalMs, awaitsAnswers}; streams: requests at once over one connection of HTTP/2; awaitsAnswers: it is
// ready when each connection has had one, not at once.
import tls from 'node:tls';
import { RawHttp2, requestFrames } from './raw-http2.mjs';

const { host, port, caPem, request, protocol, connections, streams, intervalMs, awaitsAnswers } = JSON.parse(
  process.argv[2],
);
const counts = {};
const latencies = [];
let isOver = false;
let isCounting = false;
/** Connections that have had no answer yet. */
let silent = connections;

/** To be called at each connection's first answer, or end: handshakes of hundreds take seconds, and are not what is counted. */
function heardOnce() {
  let isHeard = false;
  return () => {
    if (isHeard) return;
    isHeard = true;
    silent--;
    if (silent === 0 && awaitsAnswers) process.send('ready');
  };
}

function answered(status, tookMs) {
  if (!isCounting) return;
  counts[status] = (counts[status] ?? 0) + 1;
  latencies.push(tookMs);
}

function connect(alpn) {
  const socket = tls.connect({ host, port, ca: caPem, ALPNProtocols: [alpn] });
  socket.setNoDelay(true);
  socket.on('error', (error) => {
    if (!isOver) throw error;
  });
  return socket;
}

function http1() {
  const heard = heardOnce();
  const lines = [
    `${request.method} ${request.path} HTTP/1.1`,
    'Host: localhost',
    ...request.headers.map(([name, value]) => `${name}: ${value}`),
  ];
  const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n${request.body}`, 'latin1');
  const socket = connect('http/1.1');
  let head = '';
  let left;
  let sentAtMs = 0;
  const send = () => {
    if (isOver) {
      socket.destroy();
      return;
    }
    sentAtMs = performance.now();
    socket.write(bytes);
  };
  let status = '';
  socket.on('data', (chunk) => {
    if (left === undefined) {
      head += chunk.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = /content-length: (\d+)/i.exec(head);
      if (length === null) throw new Error(`an answer without a length:\n${head}`);
      left = end + 4 + Number(length[1]) - head.length;
      status = head.slice(9, 12);
    } else left -= chunk.length;
    if (left > 0) return;
    left = undefined;
    head = '';
    const tookMs = performance.now() - sentAtMs;
    heard();
    answered(status, tookMs);
    if (intervalMs === 0) send();
    else setTimeout(send, Math.max(0, intervalMs - tookMs));
  });
  socket.once('secureConnect', send);
  socket.once('close', heard);
}

function http2(heard = heardOnce()) {
  const frames = requestFrames({ authority: 'localhost', ...request });
  const socket = connect('h2');
  const sentAtMs = new Map();
  let due = streams;
  const fill = () => {
    if (isOver) {
      socket.destroy();
      return;
    }
    for (; due > 0 && connection.hasRoom(frames); due--)
      sentAtMs.set(connection.send(frames), performance.now());
  };
  const again = () => {
    due++;
    fill();
  };
  let connection;
  socket.once('secureConnect', () => {
    connection = new RawHttp2(socket, {
      onAnswer: (stream, status) => {
        const tookMs = performance.now() - sentAtMs.get(stream);
        sentAtMs.delete(stream);
        heard();
        answered(status, tookMs);
        if (intervalMs === 0) again();
        else setTimeout(again, Math.max(0, intervalMs - tookMs));
      },
      onRoom: fill,
      onEnd: (reason) => {
        if (isOver) return;
        answered(reason, 0);
        // As a client does that is told to go elsewhere.
        socket.destroy();
        http2(heard);
      },
    });
    fill();
  });
  socket.once('close', heard);
}

for (let i = 0; i < connections; i++) {
  if (protocol === 'http/2') http2();
  else http1();
}

// `count` begins the counting, `stop` ends all and asks for the figures.
process.on('message', (message) => {
  if (message === 'count') {
    isCounting = true;
    return;
  }
  isOver = true;
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
  process.send({ counts, p50Ms: at(0.5), p99Ms: at(0.99) }, () => process.exit());
});
if (!awaitsAnswers) process.send('ready');
