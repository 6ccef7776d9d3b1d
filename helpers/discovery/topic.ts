import sodium from 'sodium-native'
import type { Role } from '../identity/roles.js'

/**
 * The DHT topic that the workers of one role in one mesh announce themselves on: keyed BLAKE2b, so
 * that nobody without the mesh secret can tell which mesh or role a topic belongs to. A topic is a
 * hint only: whoever is found on it must still prove itself.
 *
 * @param secret the mesh secret, 32 bytes
 * @returns 32 bytes
 */
export function topicOf(secret: Uint8Array, role: Role): Uint8Array {
  const topic = Buffer.alloc(32)
  sodium.crypto_generichash(topic, Buffer.from(`starling/topic/1/${role}`), secret)
  return topic
}
