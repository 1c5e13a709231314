import type { JsonValue } from '#apimachinery/json.ts';
import type { RawRequest } from '../harness/raw-http.ts';
import type { Difference } from './differences.ts';
import type { NormalAnswer } from './normalise.ts';

export interface Exchange {
  readonly request: RawRequest;
  readonly oracle: NormalAnswer;
  readonly ours: NormalAnswer;
  /** Of a document that is compared in parts. */
  readonly part?: string | undefined;
  /** What was asked before in the same case, oldest first. */
  readonly earlier?: readonly RawRequest[] | undefined;
}

/** A difference that is meant. */
export interface KnownDifference {
  /**
   * First cell of its row in docs/kubernetes-contract.md, Differences from kube-apiserver; undefined for what is no difference:
   * kube-controller-manager does it elsewhere, the oracle has none.
   */
  readonly row: string | undefined;
  readonly explains: (difference: Difference, exchange: Exchange) => boolean;
  /** What the two store differs from here on: the rest of the case tells nothing. */
  readonly parts?: boolean | undefined;
}

export const isAbsent = (value: JsonValue | undefined) => value === undefined || value === null;
export const isText = (value: JsonValue | undefined) => typeof value === 'string' && value !== '';

/** Of which resource a request is, as its path has it. */
export const isOf = (path: string, resource: string) => new RegExp(`/${resource}(?:[/?]|$)`).test(path);
