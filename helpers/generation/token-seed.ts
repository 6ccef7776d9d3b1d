/**
 * The seed with which one token of an answer is sampled: a hash of the answer's seed and the token's
 * position in the answer.
 *
 * A sampler that runs through a whole answer has a state that depends on having sampled every token
 * before. With a seed of its own, each token depends on the tokens before it and its position alone, so
 * another worker can take over a broken answer at any position and continue it exactly.
 *
 * The hash is MurmurHash3 (x86, 32 bits) of the two words, with seed 0:
 * https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp
 *
 * @param seed the answer's seed, 0 to 2^32 - 1
 * @param position the token's position in the answer, from 0
 * @returns 0 to 2^32 - 2: llama.cpp takes 2^32 - 1 for "choose a seed at random"
 */
export function tokenSeed(seed: number, position: number): number {
  let hash = 0
  for (const word of [seed, position]) {
    const scrambled = Math.imul(rotateLeft(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593)
    hash = (Math.imul(rotateLeft(hash ^ scrambled, 13), 5) + 0xe6546b64) | 0
  }
  hash ^= 8 // the length of the input in bytes
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  hash = (hash ^ (hash >>> 16)) >>> 0
  return hash === 0xffff_ffff ? 0xffff_fffe : hash
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}
