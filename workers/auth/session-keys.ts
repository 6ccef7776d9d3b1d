import {
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
} from 'node:crypto'
import type { Random } from '../../facilities/clock/random.js'
import type { CommandRunner } from '../../facilities/store/command-runner.js'
import { keepSessionKey } from '../../helpers/accounts/session-key-record.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'

/** If this many draws fail, the random source is broken. */
const MAX_DRAWS = 8

/** A public key for verifying session tokens. */
export interface SessionPublicKey {
  readonly keyId: string
  /** SPKI. */
  readonly publicKeyPem: string
}

/** The key pair for signing session tokens: P-256, for ES256. */
export class SessionKeys {
  /** The JWK thumbprint of the public key (RFC 7638): SHA-256, base64url. */
  readonly keyId: string
  readonly privateKey: KeyObject
  readonly #publicKeyPem: string

  /** @throws StarlingError HOME_UNUSABLE if the PEM does not contain a P-256 private key */
  constructor(privateKeyPem: string | Buffer) {
    this.privateKey = readPrivateKey(privateKeyPem)
    const publicKey = createPublicKey(this.privateKey)
    this.#publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    this.keyId = thumbprint(publicKey)
  }

  /** All keys that valid tokens can be signed with. */
  publicKeys(): SessionPublicKey[] {
    return [{ keyId: this.keyId, publicKeyPem: this.#publicKeyPem }]
  }
}

/**
 * Loads the session keys, or creates and stores them.
 *
 * @param earlierPem the key of an earlier version, which is stored if there is no other
 * @throws StarlingError HOME_UNUSABLE if the earlier key is none; DISK_FULL, DISK_FAILED
 */
export async function loadOrCreateSessionKeys(
  commands: CommandRunner,
  random: Random,
  earlierPem?: string,
): Promise<SessionKeys> {
  // Before it is stored: it may be damaged.
  if (earlierPem !== undefined) readPrivateKey(earlierPem)
  const privateKeyPem = earlierPem ?? createPrivateKeyPem(random)
  return new SessionKeys(await commands.run(keepSessionKey, { privateKeyPem }))
}

/**
 * A new P-256 private key, PKCS #8.
 *
 * @throws Error if the random source is broken
 */
export function createPrivateKeyPem(random: Random): string {
  const { number, point } = drawKeyPair(random)
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    d: Buffer.from(number).toString('base64url'),
    // The point is uncompressed: 0x04, x, y.
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33).toString('base64url'),
  }
  return createPrivateKey({ key: jwk, format: 'jwk' })
    .export({ type: 'pkcs8', format: 'pem' })
    .toString()
}

function drawKeyPair(random: Random): { number: Uint8Array; point: Buffer } {
  const ecdh = createECDH('prime256v1')
  for (let draw = 1; ; draw += 1) {
    const number = random.bytes(32)
    try {
      ecdh.setPrivateKey(number)
      return { number, point: ecdh.getPublicKey() }
    } catch (error) {
      // Zero, or not below the order of the curve: about one draw in four billion.
      if (draw === MAX_DRAWS) throw error
    }
  }
}

function readPrivateKey(pem: string | Buffer): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch {
    // Without the cause, which may contain a part of the file.
    throw damaged()
  }
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw damaged()
  return key
}

function damaged(): StarlingError {
  return new StarlingError(
    'HOME_UNUSABLE',
    'The session key file does not contain a P-256 private key; ' +
      'remove it and restart the auth worker, after which all users must log in again',
  )
}

function thumbprint(publicKey: KeyObject): string {
  const { crv, kty, x, y } = publicKey.export({ format: 'jwk' })
  // The order of the members is part of the definition.
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url')
}
