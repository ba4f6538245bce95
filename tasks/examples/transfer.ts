/** Moves money between two rows of the table `account`, exactly once: see docs/transactions.md. */
import { task } from "edge-dispatcher";

export default task(
  { bind: true, maxAttempts: 10 },
  (context, from: string, to: string, amount: number) =>
    context.transaction(async (tx) => {
      await tx`update account set balance = balance - ${amount} where name = ${from}`;
      await tx`update account set balance = balance + ${amount} where name = ${to}`;
      return { from, to, amount };
    }),
);
