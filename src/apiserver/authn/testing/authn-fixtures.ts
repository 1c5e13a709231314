import { generateKeyPairSync } from 'node:crypto';
import { isApiError } from '#apimachinery/api-error.ts';
import { workspaceOf } from '../../authz/testing/authz-fixtures.ts';
import { SigningKey } from '../jwt.ts';

export const newKey = (): SigningKey =>
  new SigningKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);

export const isUnauthorized = (error: unknown): boolean => isApiError(error, 'Unauthorized');

export const shop = workspaceOf('root:acme:shop');
