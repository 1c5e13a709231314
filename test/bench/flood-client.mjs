// One client of the flood benchmark: requests as ready bytes over plain TLS connections, each sent again the moment that
// it is answered, whatever the answer. argv: JSON of {host, port, caPem, request, connections, intervalMs}.
import tls from 'node:tls';

const { host, port, caPem, request, connections, intervalMs } = JSON.parse(process.argv[2]);
const bytes = Buffer.from(request, 'latin1');
const counts = {};
const latencies = [];
let isOver = false;
let isCounting = false;

function client() {
  const socket = tls.connect({ host, port, ca: caPem, ALPNProtocols: ['http/1.1'] });
  socket.setNoDelay(true);
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
  socket.on('data', (chunk) => {
    if (left === undefined) {
      head += chunk.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = /content-length: (\d+)/i.exec(head);
      if (length === null) throw new Error(`an answer without a length:\n${head}`);
      left = end + 4 + Number(length[1]) - head.length;
      if (isCounting) {
        const code = head.slice(9, 12);
        counts[code] = (counts[code] ?? 0) + 1;
      }
    } else left -= chunk.length;
    if (left > 0) return;
    left = undefined;
    head = '';
    const tookMs = performance.now() - sentAtMs;
    if (isCounting) latencies.push(tookMs);
    if (intervalMs === 0) send();
    else setTimeout(send, Math.max(0, intervalMs - tookMs));
  });
  socket.on('error', (error) => {
    if (!isOver) throw error;
  });
  socket.once('secureConnect', send);
}

for (let i = 0; i < connections; i++) client();

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
process.send('ready');
