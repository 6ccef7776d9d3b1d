import test from 'brittle'
import { parentMessageSchema } from '../../../../facilities/process/parent-channel.js'

test('should refuse a message when it does not match the schema', (t) => {
  t.ok(parentMessageSchema.safeParse({ kind: 'ready' }).success)
  t.ok(parentMessageSchema.safeParse({ kind: 'progress', activity: 'a', fraction: 1 }).success)
  t.ok(parentMessageSchema.safeParse({ kind: 'failed', code: 'X', message: 'm' }).success)
  for (const wrong of [
    null,
    { kind: 'done' },
    { kind: 'ready', more: 1 },
    { kind: 'progress', activity: 'a', fraction: 1.1 },
    { kind: 'progress', activity: 'a'.repeat(201), fraction: 0 },
    { kind: 'failed', code: 'X' },
  ]) {
    t.absent(parentMessageSchema.safeParse(wrong).success)
  }
})
