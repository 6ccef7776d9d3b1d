import { z } from 'zod'
import { StarlingError } from '../errors/starling-error.js'
import { criticalSchema, unknownCriticalField } from './critical-fields.js'
import type { KeyPair } from './key-pair.js'
import { MAX_ROLES, roleSchema } from './roles.js'
import { isSignedBy, sign } from './signature.js'

const PURPOSE = 'starling/certificate/1'

/** How far the clocks of two machines may differ. */
export const CLOCK_ALLOWANCE_MS = 60_000

/** A public key, hexadecimal. */
export const publicKeySchema = z.string().regex(/^[0-9a-f]{64}$/)

/** What a certificate says about its holder. Further fields are ignored, unless they are critical. */
const certificateSchema = z.object({
  /** The mesh's root public key, hexadecimal. It is also the mesh's name. */
  mesh: publicKeySchema,
  /** The public key of the holder, hexadecimal. Its connections are encrypted with it. */
  publicKey: publicKeySchema,
  /** They need not be known to the reader. */
  roles: z.array(roleSchema).min(1).max(MAX_ROLES),
  /** Human-readable: `processor-2`. */
  name: z.string().min(1).max(100),
  /** Identifies the certificate when it is revoked. */
  serial: z.string().min(1).max(64),
  /** Milliseconds since 1970. */
  expiresAt: z.number().int().positive(),
  critical: criticalSchema,
})

export type Certificate = Omit<z.infer<typeof certificateSchema>, 'critical'>

/** A certificate as it is sent and stored: the bytes that were signed, and the signature. */
export interface SignedCertificate {
  readonly body: Uint8Array
  readonly signature: Uint8Array
}

/**
 * Signs a certificate with the root key of the mesh.
 *
 * @throws Error if a value has another form than its field
 */
export function issueCertificate(
  root: KeyPair,
  certificate: Omit<Certificate, 'mesh'>,
): SignedCertificate {
  const full: Certificate = { mesh: Buffer.from(root.publicKey).toString('hex'), ...certificate }
  const body = Buffer.from(JSON.stringify(certificateSchema.parse(full)))
  return { body, signature: sign(PURPOSE, body, root.secretKey) }
}

/**
 * Verifies a certificate of a peer.
 *
 * @param expected.mesh the root public key that must have signed it, hexadecimal
 * @param expected.holderPublicKey the key of the peer
 * @throws StarlingError CERTIFICATE_INVALID if it is malformed, has a critical field that is not known here, is of
 *   another mesh, not signed by the root key, or issued for another key; CERTIFICATE_EXPIRED if it expired more
 *   than a minute ago
 */
export function verifyCertificate(
  signed: SignedCertificate,
  expected: { mesh: string; holderPublicKey: Uint8Array; nowMs: number },
): Certificate {
  const root = Buffer.from(expected.mesh, 'hex')
  // The signature first: nothing is parsed that the root key did not sign.
  if (!isSignedBy(root, PURPOSE, signed.body, signed.signature)) {
    throw new StarlingError('CERTIFICATE_INVALID', 'The certificate is not signed by this mesh')
  }
  const certificate = parseCertificate(signed.body)
  if (certificate.mesh !== expected.mesh) {
    throw new StarlingError('CERTIFICATE_INVALID', 'The certificate names another mesh')
  }
  if (certificate.publicKey !== Buffer.from(expected.holderPublicKey).toString('hex')) {
    throw new StarlingError('CERTIFICATE_INVALID', 'The certificate was issued for another key')
  }
  if (certificate.expiresAt + CLOCK_ALLOWANCE_MS <= expected.nowMs) {
    throw new StarlingError(
      'CERTIFICATE_EXPIRED',
      `The certificate of ${certificate.name} expired at ${new Date(certificate.expiresAt).toISOString()}`,
    )
  }
  return certificate
}

function parseCertificate(body: Uint8Array): Certificate {
  const { critical, ...certificate } = decodeCertificate(body)
  const unknown = unknownCriticalField(critical, certificateSchema)
  if (unknown === undefined) return certificate
  throw new StarlingError(
    'CERTIFICATE_INVALID',
    `This version does not know the critical field ${unknown} of the certificate`,
  )
}

function decodeCertificate(body: Uint8Array): z.infer<typeof certificateSchema> {
  try {
    return certificateSchema.parse(JSON.parse(Buffer.from(body).toString('utf8')))
  } catch (cause) {
    throw new StarlingError('CERTIFICATE_INVALID', 'The certificate is malformed', { cause })
  }
}
