import { z } from 'zod'
import type { SignedCertificate } from '../identity/certificate.js'

/** The versions of the wire protocol that this code speaks. Version 1 had a hello without a MAC. */
export const PROTOCOL_VERSIONS = { lowest: 2, highest: 2 } as const

const versionSchema = z.number().int().min(1).max(0xffff)

/** The first message of each end: who it is and what it speaks. */
export const helloSchema = z.strictObject({
  versions: z.strictObject({ lowest: versionSchema, highest: versionSchema }),
  certificate: z.strictObject({
    body: z.base64().max(2048),
    signature: z.base64().max(128),
  }),
  /** See hello-proof.ts. */
  proof: z.base64().max(128),
})

/** The second message of each end: the hello of the other was accepted. */
export const welcomeSchema = z.strictObject({ version: versionSchema })

export type HelloMessage = z.infer<typeof helloSchema>

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

/** The certificate and proof in a hello, as bytes. */
export function readHello(hello: HelloMessage): {
  certificate: SignedCertificate
  proof: Uint8Array
} {
  return {
    certificate: {
      body: Buffer.from(hello.certificate.body, 'base64'),
      signature: Buffer.from(hello.certificate.signature, 'base64'),
    },
    proof: Buffer.from(hello.proof, 'base64'),
  }
}

/** The highest version in both ranges, or undefined if there is none. */
export function agreeOnVersion(
  ours: { lowest: number; highest: number },
  theirs: { lowest: number; highest: number },
): number | undefined {
  const version = Math.min(ours.highest, theirs.highest)
  return version >= Math.max(ours.lowest, theirs.lowest) ? version : undefined
}
