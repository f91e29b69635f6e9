// Answers one call a line: {"call": name, ...arguments} in, {"value": ...} or {"problem": ...} out.
import { createInterface } from 'node:readline'

export async function answerCalls(calls) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { call, ...given } = JSON.parse(line)
    process.stdout.write(JSON.stringify(await answer(calls[call], given)) + '\n')
  }
}

async function answer(call, given) {
  try {
    return { value: (await call(given)) ?? null }
  } catch (problem) {
    return { problem: described(problem) }
  }
}

// `error` is the provider's own word for it, `code` the library's.
function described(problem) {
  const { name, message, code, error, error_description: description, status } = problem
  const cause = problem.cause instanceof Error ? problem.cause.message : undefined
  return { name, message, code, error, description, status, cause }
}
