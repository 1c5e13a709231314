import { catalogueMessage } from '#api/builtin/catalogue-messages.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';

/** A whole number from 0 up to, not including, `below`. */
export type Draw = (below: number) => number;

/** Always the same numbers for one seed (a linear congruential generator modulo 2^32; its high bits are used). */
export function drawFrom(seed: number): Draw {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const depthMax = 7;
const meta = 'apimachinery.pkg.apis.meta.v1';
const apiextensions = 'apiextensions-apiserver.pkg.apis.apiextensions.v1';

const texts = [
  '',
  'a',
  'name',
  'x'.repeat(40),
  'Zürich',
  '日本',
  '😀',
  'a/b',
  '100',
  'constructor',
  'x'.repeat(300),
];
const int32s = [0, 1, 80, 127, 128, 16_383, 16_384, 2 ** 31 - 1, -1, -(2 ** 31)];
const int64s = [...int32s, 2 ** 31, 2 ** 53 - 1, -(2 ** 53) + 1, 1_234_567_890_123];
const doubles = [0, 1.5, -1, 1e300];

type Special = (draw: Draw, depth: number) => JsonValue;

const pick = <T>(draw: Draw, values: readonly T[]): T => values[draw(values.length)]!;
const time = (draw: Draw): string =>
  new Date(pick(draw, [0, 1, 951_782_400, 1_700_000_000, 4_102_444_800]) * 1000).toISOString().slice(0, 19);
const fieldSets = [{}, { 'f:spec': { '.': {}, 'f:replicas': {} } }, { 'f:ä': {} }];
const jsons = [1, 'ä', true, { a: [1, { b: 'c' }] }, [null]];
const schema = (draw: Draw, depth: number): JsonObject =>
  randomMessage(`${apiextensions}.JSONSchemaProps`, draw, depth + 2);
const textList = (draw: Draw): string[] => Array.from({ length: 1 + draw(2) }, () => pick(draw, texts));

const specials: { readonly [path: string]: Special } = {
  [`${meta}.Time`]: (draw) => `${time(draw)}Z`,
  [`${meta}.MicroTime`]: (draw) => `${time(draw)}.${pick(draw, ['000000', '000001', '123456', '999999'])}Z`,
  'apimachinery.pkg.api.resource.Quantity': (draw) => pick(draw, ['0', '1', '100m', '64Mi', '1500', '-3']),
  'apimachinery.pkg.util.intstr.IntOrString': (draw) => pick<JsonValue>(draw, [0, 80, -1, '', 'http', '50%']),
  [`${meta}.FieldsV1`]: (draw) => pick(draw, fieldSets),
  [`${apiextensions}.JSON`]: (draw) => pick<JsonValue>(draw, jsons),
  'apimachinery.pkg.runtime.RawExtension': (draw) => pick(draw, [{ a: 1 }, { apiVersion: 'v1', kind: 'X' }]),
  [`${apiextensions}.JSONSchemaPropsOrBool`]: (draw, depth) =>
    draw(2) === 0 ? draw(2) === 0 : schema(draw, depth),
  [`${apiextensions}.JSONSchemaPropsOrArray`]: (draw, depth) =>
    draw(2) === 0 ? [schema(draw, depth)] : schema(draw, depth),
  [`${apiextensions}.JSONSchemaPropsOrStringArray`]: (draw, depth) =>
    draw(2) === 0 ? textList(draw) : schema(draw, depth),
  'api.authentication.v1.ExtraValue': textList,
  'api.authorization.v1.ExtraValue': textList,
  'api.certificates.v1.ExtraValue': textList,
  'api.certificates.v1beta1.ExtraValue': textList,
  [`${meta}.Verbs`]: textList,
};

/** A message as it stands in JSON, with some of its fields: whatever Go decodes, valid or not. */
export function randomMessage(path: string, draw: Draw, depth = 0): JsonObject {
  const object: JsonObject = {};
  const message = catalogueMessage(path) ?? {};
  const numbers = Object.keys(message);
  const chance = depth === 0 ? 1 : Math.max(2, numbers.length / 4);
  for (const number of numbers) {
    const [name, expression] = message[number]!;
    if (name === '') {
      Object.assign(object, randomMessage(expression.slice(1), draw, depth + 1));
      continue;
    }
    if (draw(chance) >= 1) continue;
    const shape = expression.slice(0, 2);
    if (shape !== '[]' && shape !== '{}') {
      const value = randomValue(expression, draw, depth);
      if (value !== undefined) object[name] = value;
      continue;
    }
    const values = Array.from({ length: 1 + draw(2) }, () => randomValue(expression.slice(2), draw, depth));
    const known = values.filter((one) => one !== undefined);
    if (known.length === 0) continue;
    object[name] =
      shape === '[]'
        ? known
        : Object.fromEntries(known.map((one, index) => [`${index}${pick(draw, texts)}`, one]));
  }
  return object;
}

function randomValue(expression: string, draw: Draw, depth: number): JsonValue | undefined {
  switch (expression) {
    case 'string':
      return pick(draw, texts);
    case 'bytes':
      return pick(draw, ['', 'YQ==', 'AP8Q', 'eA=='.repeat(1)]);
    case 'bool':
      return draw(2) === 0;
    case 'int32':
      return pick(draw, int32s);
    case 'int64':
      return pick(draw, int64s);
    case 'double':
      return pick(draw, doubles);
    default: {
      const path = expression.slice(1);
      const special = specials[path];
      if (special !== undefined) return depth > depthMax ? undefined : special(draw, depth);
      return depth > depthMax ? undefined : randomMessage(path, draw, depth + 1);
    }
  }
}
