import type { Command } from 'commander';
import {
  type AuthenticationConfiguration,
  parseAuthenticationConfiguration,
} from '#apiserver/authn/authentication-configuration.ts';
import { defaultRequestHeaders } from '#apiserver/authn/request-header.ts';
import { parseAuthorizationConfiguration } from '#apiserver/authz/authorization-configuration.ts';
import { WebhookAuthorizer, type WebhookAuthorizerOptions } from '#apiserver/authz/webhook-authorizer.ts';
import { Encryption } from '#apiserver/encryption/encryption.ts';
import { parseEncryptionConfiguration } from '#apiserver/encryption/encryption-configuration.ts';
import type { KmsProviders } from '#apiserver/encryption/kms-providers.ts';
import { type IpRange, parseIpRange } from '#apiserver/registry/ip-range.ts';
import { defaultServiceRange } from '#apiserver/registry/service-allocator.ts';
import type { ApiServerOptions } from '#apiserver/server/options.ts';
import { ServiceNetworks } from '#apiserver/services/service-networks.ts';
import type { Logger } from '#client/logger.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { kubeconfigConnection } from './connect.ts';
import { UsageError } from './run-command.ts';
import { parseSettingFile, readSettingFile } from './setting-file.ts';
import { parseList, setting } from './settings.ts';

/** Who is believed, and who decides what may be done (docs/operations.md, Identity). Named as kube-apiserver's flags. */
export interface SecurityFlags {
  readonly authenticationConfig?: string;
  readonly authenticationTokenWebhookConfigFile?: string;
  readonly serviceAccountIssuer?: readonly string[];
  readonly requestheaderClientCaFile?: string;
  readonly requestheaderAllowedNames?: readonly string[];
  readonly requestheaderUsernameHeaders?: readonly string[];
  readonly requestheaderUidHeaders?: readonly string[];
  readonly requestheaderGroupHeaders?: readonly string[];
  readonly requestheaderExtraHeadersPrefix?: readonly string[];
  readonly authenticationKubeconfig?: string;
  readonly authenticationSkipLookup?: boolean;
  readonly authorizationKubeconfig?: string;
  readonly aggregatedWorkspace?: string;
  readonly authorizationConfig?: string;
  readonly authorizationWebhookConfigFile?: string;
  readonly serviceNetworks?: string;
  readonly serviceClusterIpRange?: string;
  readonly encryptionProviderConfig?: string;
}

const webhookTimeoutMs = 30_000;
const webhookAllowedMs = 5 * 60_000;
const webhookRefusedMs = 30_000;

export function withSecurityFlags(command: Command): Command {
  const list = (flags: string, description: string) => setting(flags, description, { parse: parseList });
  return command
    .addOption(
      setting('--authentication-config <file>', 'OpenID Connect issuers: an AuthenticationConfiguration'),
    )
    .addOption(
      setting(
        '--authentication-token-webhook-config-file <file>',
        'kubeconfig of a webhook that tells whose a token is (TokenReview)',
      ),
    )
    .addOption(
      list(
        '--service-account-issuer <urls>',
        'iss of service-account tokens: the first one signs, all are believed (default: https://<external host>)',
      ),
    )
    .addOption(
      setting('--requestheader-client-ca-file <file>', 'authorities of proxies that say in headers who asks'),
    )
    .addOption(list('--requestheader-allowed-names <names>', 'common names of these proxies (default: any)'))
    .addOption(list('--requestheader-username-headers <names>', 'header of the user (X-Remote-User)'))
    .addOption(list('--requestheader-uid-headers <names>', 'header of its uid (default: none)'))
    .addOption(list('--requestheader-group-headers <names>', 'header of its groups (X-Remote-Group)'))
    .addOption(
      list('--requestheader-extra-headers-prefix <prefixes>', 'prefix of its extras (X-Remote-Extra-)'),
    )
    .addOption(
      setting(
        '--authentication-kubeconfig <file>',
        'API server that aggregates this one: asked whose a token is, and for its authorities',
      ),
    )
    .addOption(
      setting('--authentication-skip-lookup', 'its authorities are not read from its ConfigMap', {
        default: false,
      }),
    )
    .addOption(
      setting('--authorization-kubeconfig <file>', 'API server that is asked what its users may do here'),
    )
    .addOption(
      setting(
        '--aggregated-workspace <path>',
        'the one workspace in which its users are somebody, and which they mean who name none',
      ),
    )
    .addOption(
      setting('--authorization-config <file>', 'webhooks beside RBAC: an AuthorizationConfiguration'),
    )
    .addOption(
      setting(
        '--authorization-webhook-config-file <file>',
        'kubeconfig of a webhook that is asked after RBAC',
      ),
    )
    .addOption(
      setting(
        '--encryption-provider-config <file>',
        'what is encrypted in the store, with which keys: an EncryptionConfiguration, read again when it changes',
      ),
    )
    .addOption(
      setting(
        '--service-networks <networks>',
        'networks in which Services are reached, as address/bits (default: all but this machine and its link)',
      ),
    )
    .addOption(
      setting(
        '--service-cluster-ip-range <ranges>',
        `range of Services' addresses, or one of IPv4 and one of IPv6, the default family's first (default: ${defaultServiceRange})`,
      ),
    );
}

type SecurityOptions = Pick<
  ApiServerOptions,
  | 'serviceAccountIssuers'
  | 'tokenIssuers'
  | 'allowsAnonymous'
  | 'anonymousPaths'
  | 'tokenWebhook'
  | 'foreign'
  | 'authorizers'
  | 'serviceNetworks'
  | 'serviceRanges'
>;

/** What the flags name, read. Throws UsageError for what cannot be used, with the flag or file. */
export async function readSecurity(flags: SecurityFlags, logger: Logger): Promise<SecurityOptions> {
  const [authentication, tokenWebhook, foreign, authorizers] = await Promise.all([
    readAuthentication(flags.authenticationConfig),
    readConnection(flags.authenticationTokenWebhookConfigFile),
    readForeign(flags),
    readAuthorizers(flags, logger),
  ]);
  return {
    serviceAccountIssuers: issuersOf(flags.serviceAccountIssuer),
    tokenIssuers: authentication.issuers,
    allowsAnonymous: authentication.allowsAnonymous,
    anonymousPaths: authentication.anonymousPaths,
    tokenWebhook,
    foreign,
    authorizers,
    serviceNetworks: networksOf(flags.serviceNetworks),
    serviceRanges: rangesOf(flags.serviceClusterIpRange),
  };
}

function issuersOf(issuers: readonly string[] | undefined): readonly string[] | undefined {
  const wrong = issuers?.find((issuer) => !URL.canParse(issuer) || !issuer.startsWith('https://'));
  if (wrong !== undefined) throw new UsageError(`--service-account-issuer: ${wrong} is no https URL`);
  return issuers?.length === 0 ? undefined : issuers;
}

/**
 * Undefined where nothing is encrypted. Waits for KMS plugins, which hold from then on. Throws UsageError for a file that
 * cannot be used, Error for a plugin that cannot be had.
 */
export async function readEncryption(
  flags: SecurityFlags,
  kms: KmsProviders,
): Promise<Encryption | undefined> {
  const file = flags.encryptionProviderConfig;
  if (file === undefined) return undefined;
  const configuration = await parseSettingFile(
    '--encryption-provider-config',
    file,
    parseEncryptionConfiguration,
  );
  const { providers, keep } = await kms.open(configuration.kms);
  keep();
  return new Encryption(configuration.rules(providers));
}

function networksOf(text: string | undefined): ServiceNetworks | undefined {
  try {
    return text === undefined ? undefined : ServiceNetworks.parse(text);
  } catch (error) {
    throw new UsageError(`--service-networks: ${(error as Error).message}`);
  }
}

/** One range, or one of each family. */
function rangesOf(text: string | undefined): readonly IpRange[] | undefined {
  if (text === undefined) return undefined;
  let ranges: readonly IpRange[];
  try {
    ranges = text.split(',').map(parseIpRange);
  } catch (error) {
    throw new UsageError(`--service-cluster-ip-range: ${(error as Error).message}`);
  }
  if (ranges.length > 2 || new Set(ranges.map(({ family }) => family)).size < ranges.length) {
    throw new UsageError('--service-cluster-ip-range: one range, or one of IPv4 and one of IPv6');
  }
  return ranges;
}

async function readAuthentication(file: string | undefined): Promise<AuthenticationConfiguration> {
  if (file === undefined) return { issuers: [], allowsAnonymous: true };
  return parseSettingFile('--authentication-config', file, parseAuthenticationConfiguration);
}

async function readForeign(flags: SecurityFlags): Promise<ApiServerOptions['foreign']> {
  const { requestheaderClientCaFile, authenticationKubeconfig, authorizationKubeconfig } = flags;
  if (
    requestheaderClientCaFile === undefined &&
    authenticationKubeconfig === undefined &&
    authorizationKubeconfig === undefined
  ) {
    if (flags.aggregatedWorkspace === undefined) return undefined;
    throw new UsageError(
      '--aggregated-workspace needs --requestheader-client-ca-file or --authentication-kubeconfig',
    );
  }
  const [clientCaPem, authentication, authorization] = await Promise.all([
    readSettingFile('--requestheader-client-ca-file', requestheaderClientCaFile),
    readConnection(authenticationKubeconfig),
    readConnection(authorizationKubeconfig),
  ]);
  return {
    requestHeader:
      clientCaPem === undefined
        ? undefined
        : {
            clientCaPem,
            allowedNames: flags.requestheaderAllowedNames ?? [],
            usernameHeaders: flags.requestheaderUsernameHeaders ?? defaultRequestHeaders.usernameHeaders,
            uidHeaders: flags.requestheaderUidHeaders ?? defaultRequestHeaders.uidHeaders,
            groupHeaders: flags.requestheaderGroupHeaders ?? defaultRequestHeaders.groupHeaders,
            extraHeaderPrefixes:
              flags.requestheaderExtraHeadersPrefix ?? defaultRequestHeaders.extraHeaderPrefixes,
          },
    authentication,
    looksUp: flags.authenticationSkipLookup !== true,
    authorization,
    workspace: flags.aggregatedWorkspace,
  };
}

async function readAuthorizers(
  flags: SecurityFlags,
  logger: Logger,
): Promise<ApiServerOptions['authorizers']> {
  const { authorizationConfig, authorizationWebhookConfigFile } = flags;
  const open = async (
    kubeconfig: string,
    options: Omit<WebhookAuthorizerOptions, 'connection' | 'tellsWorkspace' | 'logger'>,
  ) => {
    const connection = await kubeconfigConnection(kubeconfig);
    try {
      return new WebhookAuthorizer({
        ...options,
        connection,
        tellsWorkspace: true,
        logger,
      });
    } catch (error) {
      throw new UsageError(`${kubeconfig} cannot be used: ${(error as Error).message}`);
    }
  };
  if (authorizationConfig === undefined) {
    if (authorizationWebhookConfigFile === undefined) return undefined;
    const webhook = await open(authorizationWebhookConfigFile, {
      name: 'default',
      allowedMs: webhookAllowedMs,
      refusedMs: webhookRefusedMs,
      timeoutMs: webhookTimeoutMs,
      onFailure: 'noOpinion',
    });
    return ['RBAC', webhook];
  }
  if (authorizationWebhookConfigFile !== undefined) {
    throw new UsageError('--authorization-config and --authorization-webhook-config-file exclude each other');
  }
  const specs = await parseSettingFile(
    '--authorization-config',
    authorizationConfig,
    parseAuthorizationConfiguration,
  );
  return Promise.all(
    specs.map((spec) => (spec.type === 'RBAC' ? spec.type : open(spec.kubeconfigFile, spec))),
  );
}

async function readConnection(file: string | undefined): Promise<ServerConnection | undefined> {
  return file === undefined ? undefined : kubeconfigConnection(file);
}
