// How judges report: a line for each check, and the sum, which cargo xtask counts.

let passed = 0;
let failed = 0;

/** One check; answers what the test answers, or undefined if it failed. */
export async function check(name, test) {
  try {
    const answer = await test();
    passed += 1;
    console.log(`ok   ${name}`);
    return answer;
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}: ${described(error)}`);
    return undefined;
  }
}

/** The error that `promise` is rejected with. */
export async function refusal(promise) {
  let answer;
  try {
    answer = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`was not refused: ${JSON.stringify(answer)}`);
}

/** What went wrong, and why, as far as libraries tell. */
function described(error) {
  const parts = [];
  for (let cause = error; cause && parts.length < 4; cause = cause.cause) {
    if (cause instanceof Response) parts.push(`answered ${cause.status}`);
    else if (cause instanceof Error) parts.push(cause.message);
    else parts.push(JSON.stringify(cause));
  }
  return parts.join(" ← ").replace(/\s+/g, " ");
}

/** The last line, and the end. */
export function finish() {
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 && passed > 0 ? 0 : 1);
}
