import { z } from 'zod'

/** What a worker tells the process that started it, if that listens. */
export const parentMessageSchema = z.discriminatedUnion('kind', [
  /** The worker serves. */
  z.strictObject({ kind: z.literal('ready') }),
  /** Long work goes on. */
  z.strictObject({
    kind: z.literal('progress'),
    /** For people: `converting`. */
    activity: z.string().max(200),
    fraction: z.number().min(0).max(1),
  }),
  /** Something that the user should know. */
  z.strictObject({ kind: z.literal('notice'), text: z.string().max(2000) }),
  /** The worker cannot start. */
  z.strictObject({ kind: z.literal('failed'), code: z.string(), message: z.string() }),
])

export type ParentMessage = z.infer<typeof parentMessageSchema>

/** What the parent process of a client sends to it. */
const childMessageSchema = z.strictObject({
  /** A notice for the user. */
  kind: z.literal('notice'),
  text: z.string().max(2000),
})

export type ChildMessage = z.infer<typeof childMessageSchema>

/** Calls `onNotice` with each notice that the parent process sends, if there is a channel to it. */
export function onParentNotice(onNotice: (text: string) => void): void {
  if (process.send === undefined) return
  process.on('message', (raw) => {
    const { data: message } = childMessageSchema.safeParse(raw)
    if (message !== undefined) onNotice(message.text)
  })
}

/** Tells the parent, if there is one and it has opened a channel. */
export function tellParent(message: ParentMessage): void {
  // The callback keeps a parent that has just left from raising an error here.
  process.send?.(message, undefined, undefined, () => undefined)
}

/** Calls `onGone` when the parent that opened a channel is gone, however it went. */
export function whenParentGone(onGone: () => void): void {
  if (process.send === undefined) return
  process.once('disconnect', onGone)
  // It may have gone while this process was still loading its code.
  if (!process.connected) onGone()
}
