import test from 'brittle'
import { createCommand } from '../../../config/command-line.js'
import {
  type EngineFlags,
  engineArguments,
  engineSettings,
  withEngineFlags,
} from '../../../config/engine-flags.js'

function parsed(...words: string[]): EngineFlags {
  return withEngineFlags(createCommand('test', 'x')).parse(words, { from: 'user' }).opts()
}

test('should set nothing when nothing is given', (t) => {
  t.alike(engineSettings(parsed()), { models: undefined, engines: undefined })
  t.alike(engineArguments(parsed()), [])
})

test('should take several models, one flag or many', (t) => {
  t.alike(parsed('--model', 'a', 'b').model, ['a', 'b'])
  t.alike(parsed('--model', 'a', '--model', 'b').model, ['a', 'b'])
  t.alike(engineSettings(parsed('--model', 'a')).engines, ['llama'])
})

test('should use a server that is named, behind models that are named', (t) => {
  const url = 'http://127.0.0.1:1'
  t.alike(engineSettings(parsed('--ollama-host', url)), {
    models: undefined,
    engines: ['ollama'],
    ollama: { url },
  })
  t.alike(engineSettings(parsed('--openai-url', url, '--model', 'a')).engines, ['llama', 'openai'])
  t.alike(engineSettings(parsed('--engine', 'llama', 'openai', '--openai-url', url)).engines, [
    'llama',
    'openai',
  ])
})

test('should say the same to another process', (t) => {
  const words = ['--model', 'a', '--model', 'b', '--engine', 'llama', '--engine', 'ollama']
  words.push('--ollama-host', 'http://127.0.0.1:1', '--openai-url', 'http://127.0.0.1:2')
  t.alike(engineArguments(parsed(...words)), words)
})
