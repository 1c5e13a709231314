import { forbidden } from '#apimachinery/api-error.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';

/** Nothing is created of a kind whose CRD is going (apiextensions-apiserver, forbidCreateAdmission). */
export class DefinitionLifecycle implements AdmissionPlugin {
  readonly name = 'DefinitionLifecycle';
  readonly looksOnly = true;

  handles({ operation, context }: AdmissionAttributes): boolean {
    return operation === 'CREATE' && context.served.definition.isTerminating === true;
  }

  mutate({ context, object }: AdmissionAttributes): undefined {
    const why = 'create not allowed while custom resource definition is terminating';
    throw forbidden(context.served.definition, object?.metadata.name ?? '', why);
  }
}
