import { CelType } from './types.ts';

/** Type parameters of one expression: no two calls share any. */
export class TypeParams {
  #count = 0;

  fresh(): CelType {
    return new CelType('param', `_${this.#count++}`);
  }

  /** A declared type with parameters of its own; `renamed`: those that the same call has already. */
  rename(type: CelType, renamed: Map<string, CelType>): CelType {
    if (type.kind === 'param') {
      let fresh = renamed.get(type.name);
      if (fresh === undefined) {
        fresh = this.fresh();
        renamed.set(type.name, fresh);
      }
      return fresh;
    }
    if (type.params.length === 0) return type;
    return new CelType(
      type.kind,
      type.name,
      type.params.map((param) => this.rename(param, renamed)),
      type.decl,
    );
  }
}
