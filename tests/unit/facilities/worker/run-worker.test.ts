import { resolve } from 'node:path'
import test, { type Test } from 'brittle'
import { stub } from 'sinon'
import { describeFailure, reportFailure } from '../../../../facilities/worker/run-worker.js'
import { ERROR_CODES } from '../../../../helpers/errors/error-codes.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'

/** What was written to standard error while `action` ran. */
function written(t: Test, action: () => void): string {
  const write = stub(process.stderr, 'write').returns(true)
  try {
    action()
    return write.args.map(([text]) => String(text)).join('')
  } finally {
    write.restore()
    t.ok(write.called)
  }
}

test('should say what happened and what to do when a failure is described', (t) => {
  const error = new StarlingError('HOME_IN_USE', '/home/auth is in use')
  t.is(
    describeFailure(error, '/srv/mesh'),
    `/home/auth is in use (HOME_IN_USE)\n  ${ERROR_CODES.HOME_IN_USE.whatToDo}`,
  )
})

test('should name the home in use when the advice is a command', (t) => {
  const lastLine = (home: string) =>
    describeFailure(new StarlingError('GATEWAY_NOT_FOUND', 'No gateway'), home).split('\n')[1]
  const command = '  Start a gateway with the same home: node workers/gateway.js'
  t.is(lastLine('/srv/mesh'), `${command} --home /srv/mesh`)
  t.is(lastLine("/srv/Ada's mesh"), `${command} --home '/srv/Ada'\\''s mesh'`)
  t.is(lastLine(resolve('data')), command, 'the default one needs no name')
})

test('should name the worker and spare the stack when an expected failure is reported', (t) => {
  const error = new StarlingError('HOME_IN_USE', '/home/auth is in use')
  t.is(
    written(t, () => reportFailure('auth', error, '/srv')),
    `auth: ${describeFailure(error, '/srv')}\n`,
  )
})

test('should show the stack when an unexpected failure is reported', (t) => {
  const error = new TypeError('undefined is not a function')
  t.is(
    written(t, () => reportFailure('auth', error, '/srv')),
    `auth: failed unexpectedly\n${error.stack}\n`,
  )
  t.is(
    written(t, () => reportFailure('auth', 'a string', '/srv')),
    'auth: failed unexpectedly\na string\n',
  )
})
