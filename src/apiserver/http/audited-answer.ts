import type { JsonObject } from '#apimachinery/json.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import type { AuditRecord } from '../audit/audit.ts';
import type { ListResult, VerbResult } from '../verbs/result.ts';
import type { FormCache } from './answers/form-cache.ts';
import { pause, piecesOf } from './answers/list-pieces.ts';
import type { Form } from './answers/negotiate.ts';
import { documentOf } from './answers/render.ts';
import { entriesPerLook, nextTurn, sliceMs } from './answers/slices.ts';
import type { Exchange } from './exchange.ts';

/** Of a list in a record; the default of kube-apiserver's `--audit-log-truncate-max-event-size`. */
const auditedBytesMax = 10 * 1024 * 1024;

/**
 * Puts what is answered into the audit record, in the form that the client gets, always as JSON (KUBERNETES.md O3). Returns
 * what is to be sent: a list's entries can be taken once, and were.
 */
export function auditAnswer(
  exchange: Exchange,
  record: AuditRecord,
  result: VerbResult,
  form: Form,
  forms: FormCache,
): VerbResult | Promise<VerbResult> {
  if (result.type === 'status') record.answeredStatus(result.body);
  else if (result.type === 'watch' || !record.wantsResponse) return result;
  else if (result.type === 'list') return auditList(exchange, record, result, form, forms);
  else record.responseBody(documentOf(exchange, result, form));
  return result;
}

async function auditList(
  exchange: Exchange,
  record: AuditRecord,
  result: ListResult,
  form: Form,
  forms: FormCache,
): Promise<ListResult> {
  const turns = new Turns();
  const entries: CacheEntry[] = [];
  for (const entry of result.entries) {
    if (entries.push(entry) % entriesPerLook === 0) await turns.give();
  }
  const page = result.page();
  const taken: ListResult = { ...result, entries, page: () => page };
  const parts: Buffer[] = [];
  let bytes = 0;
  for (const piece of piecesOf(exchange, taken, { ...form, encoding: 'json' }, forms)) {
    if (piece === pause) {
      await turns.give();
      continue;
    }
    bytes += piece.length;
    if (bytes > auditedBytesMax) {
      record.responseTooLarge();
      return taken;
    }
    parts.push(piece);
  }
  record.responseBody(JSON.parse(Buffer.concat(parts).toString('utf8')) as JsonObject);
  return taken;
}

/** Lets other requests have theirs after each stretch. */
class Turns {
  #sinceMs = performance.now();

  async give(): Promise<void> {
    if (performance.now() - this.#sinceMs < sliceMs) return;
    await nextTurn();
    this.#sinceMs = performance.now();
  }
}
