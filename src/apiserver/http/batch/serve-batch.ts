import type { IncomingMessage, ServerResponse } from 'node:http';
import { batchItemsOf, batchMediaType, notInBatch } from '#api/federation/batch.ts';
import { badRequest } from '#apimachinery/api-error.ts';
import { wantsImpersonation } from '../../authn/impersonation.ts';
import { mediaTypeOf, unsupportedMediaType } from '../../verbs/decode-body.ts';
import { sendText } from '../answers/respond.ts';
import { readBody } from '../body.ts';
import { Exchange } from '../exchange.ts';
import type { Receiving } from '../receiving.ts';
import { BatchAnswers } from './batch-answers.ts';
import { type ItemAnswer, ItemReply, ItemRequest } from './item-request.ts';

/** What is done to one object, and answered with one document. */
const singleVerbs: ReadonlySet<string> = new Set(['get', 'create', 'update', 'patch', 'delete']);

export interface BatchServing {
  /** A larger batch is refused with 413. */
  readonly bytesMax: number;
  /** Holds the batch while its body is on its way: a stopping server sends such elsewhere. */
  readonly receiving: Receiving;
  /** Never throws. */
  readonly handle: (item: Exchange) => void;
}

/**
 * Serves a batch: each item is given to `handle` as a request of its own, and all that fit begin in this turn. Resolves when
 * all are answered. Throws ApiError for a batch that cannot be read, of which nothing happens then.
 */
export async function serveBatch(
  exchange: Exchange,
  { bytesMax, receiving, handle }: BatchServing,
): Promise<void> {
  const { request, response } = exchange;
  // Whom an item is done for stands in its own audit record: with two names that would be told by half.
  if (wantsImpersonation(request.headers)) throw badRequest('a batch cannot be sent in the name of another');
  if (mediaTypeOf(request.headers['content-type'] ?? '') !== batchMediaType) {
    throw unsupportedMediaType([batchMediaType]);
  }
  receiving.add(exchange);
  let bytes: Buffer | undefined;
  try {
    bytes = await readBody(request, bytesMax);
  } finally {
    receiving.delete(exchange);
  }
  if (exchange.isGone) return;
  const items = bytes === undefined ? [] : batchItemsOf(bytes);
  if (items.length === 0) throw badRequest('the batch has no items');
  // Its items each take a seat: one that waited for theirs while it held its own could wait for itself.
  exchange.seat?.leave();
  exchange.seat = undefined;
  const url = request.url ?? '';
  const prefix = url.slice(0, Math.max(0, url.indexOf(exchange.info.path)));
  const replies: ItemReply[] = [];
  response.once('close', () => {
    for (const reply of replies) reply.abandon();
  });
  await new Promise<void>((resolve) => {
    response.once('close', resolve);
    const answers = new BatchAnswers(exchange, items.length, resolve);
    const onAnswer = (index: number, answer: ItemAnswer): void => answers.add(index, answer);
    items.forEach((item, index) => {
      const itemRequest = new ItemRequest(request, prefix, item);
      const reply = new ItemReply(index, onAnswer);
      replies.push(reply);
      // They have what the chain asks of a request without a stream, and of a response with one document.
      const one = new Exchange(itemRequest as unknown as IncomingMessage, reply as unknown as ServerResponse);
      one.item = {
        batch: exchange,
        body: item.body === undefined ? undefined : { contentType: item.contentType ?? '', bytes: item.body },
      };
      handle(one);
    });
  });
}

/** Whether an item may be done within a batch; answers it otherwise. */
export function isServedInBatch(item: Exchange): boolean {
  const { resource, verb } = item.info;
  if (resource !== undefined && singleVerbs.has(verb)) return true;
  refuseInBatch(item);
  return false;
}

/** The client is to send the item by itself. */
export function refuseInBatch(item: Exchange): undefined {
  sendText(
    item,
    notInBatch,
    'only requests for single objects that this server stores can be part of a batch\n',
  );
  return undefined;
}
