import type Protomux from 'protomux'

const corked = new WeakSet<Protomux>()

/**
 * Gathers everything that is written to a connection until the microtasks of this tick are done into
 * one frame. With many streams on one connection that saves an encryption and a packet for most
 * chunks; it delays none past the tick.
 *
 * Only for the end that answers streams: the receiver of a frame with several messages holds its own
 * replies back until all handlers in that frame have settled, so unary requests, whose handlers may
 * take long, must not be gathered.
 */
export function corkForThisTick(mux: Protomux): void {
  if (corked.has(mux)) return
  corked.add(mux)
  mux.cork()
  // Called from a microtask, nextTick runs when the whole microtask queue is empty.
  process.nextTick(() => {
    corked.delete(mux)
    mux.uncork()
  })
}
