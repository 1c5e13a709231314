import { objectIn } from '#api/builtin/defaults/defaulting.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { concerns } from './concerns.ts';

const subjectFields = ['username', 'uid', 'groups', 'extra'] as const;

const requests = { group: 'certificates.k8s.io', resource: 'certificatesigningrequests' };

/**
 * Writes into a new CertificateSigningRequest who asks for it (KUBERNETES.md O5): a signer trusts these fields, so that
 * they come from the request's user and never from what the client claims.
 */
export class SigningRequestSubject implements AdmissionPlugin {
  readonly name = 'SigningRequestSubject';
  readonly kinds = [requests];

  handles(attributes: AdmissionAttributes): boolean {
    return concerns(attributes, 'CREATE', requests);
  }

  mutate({ context, object }: AdmissionAttributes): undefined {
    if (object === undefined) return undefined;
    const spec = objectIn(object, 'spec');
    for (const field of subjectFields) delete spec[field];
    const { name, uid, groups, extra } = context.user;
    spec['username'] = name;
    if (uid !== undefined && uid !== '') spec['uid'] = uid;
    if (groups.length > 0) spec['groups'] = [...groups];
    if (extra.size > 0) {
      spec['extra'] = Object.fromEntries([...extra].map(([key, values]) => [key, [...values]]));
    }
    return undefined;
  }
}
