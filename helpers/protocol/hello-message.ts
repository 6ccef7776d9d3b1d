import { z } from 'zod'
import { StarlingError } from '../errors/starling-error.js'
import type { SignedCertificate } from '../identity/certificate.js'
import { criticalSchema, unknownCriticalField } from '../identity/critical-fields.js'
import { decodeMessage } from './json-message.js'
import { PROTOCOL_LIMITS } from './limits.js'

/**
 * The versions of the wire protocol that this code speaks. Versions 1 and 2 began with a hello on a channel of another
 * name.
 */
export const PROTOCOL_VERSIONS = { lowest: 3, highest: 3 } as const

const WHAT = 'the hello'

const versionSchema = z.number().int().min(1).max(0xffff)

const rangeSchema = z.object({ lowest: versionSchema, highest: versionSchema })

type VersionRange = z.infer<typeof rangeSchema>

/** What the hello of every version is: a JSON object with this field. It is read first. */
const anyHelloSchema = z.object({ versions: rangeSchema })

const helloSchema = z.object({
  versions: rangeSchema,
  certificate: z.object({
    body: z.base64().max(2732),
    signature: z.base64().max(128),
  }),
  /** See hello-proof.ts. */
  proof: z.base64().max(128),
  critical: criticalSchema,
})

/** The second message of each end: the hello of the other was accepted. */
export const welcomeSchema = z.strictObject({ version: versionSchema })

/** The first message of each end: who it is and what it speaks. */
export type HelloMessage = z.infer<typeof helloSchema>

/** What a hello says. */
export interface Hello {
  /** The highest version of the protocol that both ends speak. */
  readonly version: number
  /** Not verified. */
  readonly certificate: SignedCertificate
  /** Not verified. See hello-proof.ts. */
  readonly proof: Uint8Array
}

/** The hello of an end that holds this certificate. */
export function createHello(certificate: SignedCertificate, proof: Uint8Array): HelloMessage {
  return {
    versions: PROTOCOL_VERSIONS,
    certificate: {
      body: Buffer.from(certificate.body).toString('base64'),
      signature: Buffer.from(certificate.signature).toString('base64'),
    },
    proof: Buffer.from(proof).toString('base64'),
  }
}

/**
 * Reads the hello of the other end. The versions come first: in another version, the rest may have another form.
 * Fields that are not known here are ignored, unless they are critical.
 *
 * @throws StarlingError VERSION_UNSUPPORTED if the ends speak no common version; PROTOCOL_VIOLATION if the hello has
 *   a critical field that is not known here; PAYLOAD_TOO_LARGE; INVALID_REQUEST if it is malformed
 */
export function readHello(bytes: Uint8Array): Hello {
  const { versions } = decodeMessage(bytes, anyHelloSchema, PROTOCOL_LIMITS.helloBytes, WHAT)
  const version = commonVersion(versions)
  const hello = decodeMessage(bytes, helloSchema, PROTOCOL_LIMITS.helloBytes, WHAT)
  const unknown = unknownCriticalField(hello.critical, helloSchema)
  if (unknown !== undefined) {
    throw new StarlingError(
      'PROTOCOL_VIOLATION',
      `This version does not know the critical field ${unknown} of the hello`,
    )
  }
  return {
    version,
    certificate: {
      body: Buffer.from(hello.certificate.body, 'base64'),
      signature: Buffer.from(hello.certificate.signature, 'base64'),
    },
    proof: Buffer.from(hello.proof, 'base64'),
  }
}

function commonVersion(theirs: VersionRange): number {
  const version = agreeOnVersion(PROTOCOL_VERSIONS, theirs)
  if (version !== undefined) return version
  throw new StarlingError(
    'VERSION_UNSUPPORTED',
    `Protocol versions ${theirs.lowest} to ${theirs.highest} and ` +
      `${PROTOCOL_VERSIONS.lowest} to ${PROTOCOL_VERSIONS.highest} have none in common`,
  )
}

/** The highest version in both ranges, or undefined if there is none. */
export function agreeOnVersion(ours: VersionRange, theirs: VersionRange): number | undefined {
  const version = Math.min(ours.highest, theirs.highest)
  return version >= Math.max(ours.lowest, theirs.lowest) ? version : undefined
}
