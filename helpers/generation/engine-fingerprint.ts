import { createHash } from 'node:crypto'

/**
 * Names everything that an answer's numbers depend on: engines of the same fingerprint that promise
 * exact answers give the same tokens for the same request.
 *
 * @param modelSha256 of the model file, hexadecimal
 * @param parts the rest by name, such as the build and the backend
 * @returns SHA-256, hexadecimal
 */
export function engineFingerprint(
  modelSha256: string,
  parts: Readonly<Record<string, string>>,
): string {
  const named = Object.entries({ ...parts, model: modelSha256 }).sort(([one], [other]) =>
    one < other ? -1 : 1,
  )
  return createHash('sha256').update(JSON.stringify(named)).digest('hex')
}
