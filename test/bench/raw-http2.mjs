// HTTP/2 as ready frames, for load generators: what a client library spends on a stream would be most of a request's cost.
// RFC 9113 and RFC 7541, as far as one request said again and again needs it: headers are literals that no table keeps, and
// the server is told to keep none either.

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const frameHeadBytes = 9;
const types = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, windowUpdate: 8 };
const flags = { ack: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 32 };
const settingIds = { headerTableSize: 1, concurrentStreamsMax: 3, initialWindowSize: 4 };
const windowBytesMax = 2 ** 31 - 1;
const defaultWindowBytes = 65_535;
const frameBytesMax = 16_384;
/** `:status` by its index in the static table. */
const staticStatuses = new Map(
  [8, 9, 10, 11, 12, 13, 14].map((index, at) => [index, [200, 204, 206, 304, 400, 404, 500][at]]),
);

function frame(type, flag, stream, payload) {
  const head = Buffer.alloc(frameHeadBytes);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flag;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function setting(id, value) {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt32BE(value, 2);
  return bytes;
}

function text(value) {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const rest = [127];
  let left = bytes.length - 127;
  for (; left >= 128; left >>= 7) rest.push((left & 127) | 128);
  rest.push(left);
  return Buffer.concat([Buffer.from(rest), bytes]);
}

/** The bytes of a request, and the places in them where its stream's number is still to be written. */
export function requestFrames({ method, path, authority, headers, body }) {
  const fields = [
    [':method', method],
    [':scheme', 'https'],
    [':path', path],
    [':authority', authority],
    ...headers,
  ];
  const block = Buffer.concat(
    fields.map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)])),
  );
  const bytes = Buffer.from(body, 'utf8');
  if (block.length > frameBytesMax || bytes.length > frameBytesMax)
    throw new Error('one frame each, at most');
  const head = frame(types.headers, flags.endHeaders | (bytes.length === 0 ? flags.endStream : 0), 0, block);
  if (bytes.length === 0) return { bytes: head, places: [5], bodyBytes: 0 };
  const data = frame(types.data, flags.endStream, 0, bytes);
  return { bytes: Buffer.concat([head, data]), places: [5, head.length + 5], bodyBytes: bytes.length };
}

/** Digits as RFC 7541, appendix B, writes them. */
function huffmanDigits(bytes) {
  let bits = '';
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  let digits = '';
  while (bits.length >= 5 && !/^1*$/.test(bits)) {
    const short = Number.parseInt(bits.slice(0, 5), 2);
    if (short <= 2) {
      digits += short;
      bits = bits.slice(5);
    } else {
      digits += 3 + Number.parseInt(bits.slice(0, 6), 2) - 0b011001;
      bits = bits.slice(6);
    }
  }
  return digits;
}

/** The status that a block of headers begins with. */
function statusOf(block) {
  let at = 0;
  // Changes of the table's size come first.
  while ((block[at] & 0xe0) === 0x20) at++;
  if (block[at] & 0x80) return staticStatuses.get(block[at] & 0x7f);
  const length = block[at + 1] & 0x7f;
  const value = block.subarray(at + 2, at + 2 + length);
  return Number(block[at + 1] & 0x80 ? huffmanDigits(value) : value.toString('latin1'));
}

/**
 * One connection. `onAnswer(stream, status)`: an answer is whole, or was reset; `onRoom()`: there may be room for more than
 * before; `onEnd(reason)`: the server lets no more streams begin.
 */
export class RawHttp2 {
  #socket;
  #rest = Buffer.alloc(0);
  #nextStream = 1;
  #statuses = new Map();
  #onAnswer;
  #onRoom;
  #onEnd;
  /** Bytes of bodies that the server takes now, over all streams. */
  #windowBytes = defaultWindowBytes;
  /** Streams that the server lets a client have at once. */
  #streamsMax = Number.POSITIVE_INFINITY;

  /** `socket`: secured, its protocol agreed. */
  constructor(socket, { onAnswer, onRoom, onEnd }) {
    this.#socket = socket;
    this.#onAnswer = onAnswer;
    this.#onEnd = onEnd;
    this.#onRoom = onRoom;
    const settings = [
      setting(settingIds.headerTableSize, 0),
      setting(settingIds.initialWindowSize, windowBytesMax),
    ];
    const more = Buffer.alloc(4);
    more.writeUInt32BE(windowBytesMax - defaultWindowBytes);
    socket.write(
      Buffer.concat([
        preface,
        frame(types.settings, 0, 0, Buffer.concat(settings)),
        frame(types.windowUpdate, 0, 0, more),
      ]),
    );
    socket.on('data', (chunk) => this.#read(chunk));
  }

  /** Streams that are not answered yet. */
  get open() {
    return this.#statuses.size;
  }

  /** Whether one more request may be sent now. */
  hasRoom({ bodyBytes }) {
    return this.open < this.#streamsMax && this.#windowBytes >= bodyBytes;
  }

  /** Asks; returns the stream's number. */
  send({ bytes, places, bodyBytes }) {
    this.#windowBytes -= bodyBytes;
    const stream = this.#nextStream;
    this.#nextStream += 2;
    const copy = Buffer.from(bytes);
    for (const place of places) copy.writeUInt32BE(stream, place);
    this.#statuses.set(stream, 0);
    this.#socket.write(copy);
    return stream;
  }

  #read(chunk) {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (bytes.length >= frameHeadBytes) {
      const length = bytes.readUIntBE(0, 3);
      if (bytes.length < frameHeadBytes + length) break;
      this.#frame(
        bytes[3],
        bytes[4],
        bytes.readUInt32BE(5),
        bytes.subarray(frameHeadBytes, frameHeadBytes + length),
      );
      bytes = bytes.subarray(frameHeadBytes + length);
    }
    this.#rest = bytes;
  }

  #frame(type, flag, stream, payload) {
    switch (type) {
      case types.settings:
        if (flag & flags.ack) return;
        for (let at = 0; at < payload.length; at += 6) {
          if (payload.readUInt16BE(at) === settingIds.concurrentStreamsMax)
            this.#streamsMax = payload.readUInt32BE(at + 2);
        }
        this.#socket.write(frame(types.settings, flags.ack, 0, Buffer.alloc(0)));
        this.#onRoom();
        return;
      case types.ping:
        if (!(flag & flags.ack)) this.#socket.write(frame(types.ping, flags.ack, 0, payload));
        return;
      case types.windowUpdate:
        if (stream !== 0) return;
        this.#windowBytes += payload.readUInt32BE(0);
        this.#onRoom();
        return;
      case types.goaway:
        this.#onEnd(`GOAWAY ${payload.readUInt32BE(4)}`);
        return;
      case types.reset:
        this.#answered(stream, `reset ${payload.readUInt32BE(0)}`);
        return;
      case types.headers: {
        if (flag & (flags.padded | flags.priority)) throw new Error('padded or prioritized headers');
        this.#statuses.set(stream, statusOf(payload));
        if (flag & flags.endStream) this.#answered(stream);
        return;
      }
      case types.data:
        if (flag & flags.endStream) this.#answered(stream);
        return;
    }
  }

  #answered(stream, reset) {
    const status = this.#statuses.get(stream);
    if (status === undefined) return;
    this.#statuses.delete(stream);
    this.#onAnswer(stream, reset ?? status);
  }
}
