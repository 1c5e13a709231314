import { objectOf } from '#apimachinery/cel/decl.ts';
import { kubernetesEnvironment } from '#apimachinery/cel/environment.ts';
import { estimateCost } from '#apimachinery/cel/estimate.ts';
import { quantityType } from '#apimachinery/cel/functions/quantities.ts';
import { type CelProgram, compileCel, compileFault } from '#apimachinery/cel/program.ts';
import { boolType, type Decl, dynType, mapOf, stringType } from '#apimachinery/cel/types.ts';
import { forbiddenField, invalid, required, tooLong, tooMany } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { objectAt, objectsAt, textAt } from '../read.ts';
import type { Errors } from './common.ts';

const selectorsMax = 32;
const expressionBytesMax = 10 * 1024;
const costMax = 1_000_000;
/** Attributes and capacities of one device, and domains of their names. */
const attributesMax = 32;
const driverBytesMax = 63;

const text: Decl = { kind: 'scalar', type: stringType, maxElements: driverBytesMax, minBytes: 2 };
const flag: Decl = { kind: 'scalar', type: boolType, maxElements: 1, minBytes: 4 };
const anything: Decl = { kind: 'dyn', type: dynType, maxElements: 64, minBytes: 1 };
const quantity: Decl = { kind: 'scalar', type: quantityType, maxElements: 64, minBytes: 1 };

/** By domain, then by identifier. */
function byName(element: Decl): Decl {
  const inner: Decl = {
    kind: 'map',
    type: mapOf(stringType, element.type),
    element,
    maxElements: attributesMax,
    minBytes: 2,
  };
  return { ...inner, type: mapOf(stringType, inner.type), element: inner };
}

const deviceDecl = objectOf(
  'kubernetes.DRADevice',
  new Map(
    Object.entries({
      driver: text,
      attributes: byName(anything),
      capacity: byName(quantity),
      allowMultipleAllocations: flag,
    }).map(([jsonName, decl]) => [jsonName, { jsonName, decl }]),
  ),
);

/** What a selector may name: `device` (KEP-4381). */
const environment = kubernetesEnvironment(new Map([['device', { type: deviceDecl.type, decl: deviceDecl }]]));

/** Selectors of devices: each an expression that compiles to bool and cannot cost too much. */
export function checkDeviceSelectors(errors: Errors, path: string, holder: JsonObject): void {
  const selectors = objectsAt(holder, 'selectors');
  const at = `${path}.selectors`;
  if (selectors.length > selectorsMax) {
    errors.push(tooMany(at, selectors.length, selectorsMax));
    return;
  }
  selectors.forEach((selector, i) => {
    const cel = objectAt(selector, 'cel');
    if (cel === undefined) errors.push(required(`${at}[${i}].cel`));
    else checkExpression(errors, `${at}[${i}].cel.expression`, textAt(cel, 'expression'));
  });
}

function checkExpression(errors: Errors, at: string, expression: string): void {
  if (Buffer.byteLength(expression) > expressionBytesMax) {
    errors.push(tooLong(at, expressionBytesMax));
    return;
  }
  let program: CelProgram;
  try {
    program = compileCel(expression, environment);
  } catch (error) {
    errors.push(invalid(at, expression, compileFault(error)));
    return;
  }
  const { type, checked } = program;
  if (type.kind !== 'bool' && type.kind !== 'dyn') {
    errors.push(invalid(at, expression, `must evaluate to bool or the unknown type, not ${type}`));
  } else if (estimateCost(checked, environment).max > costMax) {
    errors.push(forbiddenField(at, 'too complex, exceeds cost limit'));
  }
}
