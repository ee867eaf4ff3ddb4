using System.Globalization;

namespace Virtigo.Environments.Steps;

/// <summary>Tries something until it is as expected.</summary>
internal static class StepRetry
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(250);

    /// <summary>Tries once, or again and again for some time.</summary>
    /// <param name="context">What the step runs with.</param>
    /// <param name="machine">The machine it is about.</param>
    /// <param name="within">How long it is tried at most; null: once.</param>
    /// <param name="attempt">One attempt, told how long it may take. It answers what is wrong, as a part of a sentence; null: nothing is.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="StepFailedException">It was never as expected.</exception>
    public static async Task RunAsync(
        StepContext context, string machine, TimeSpan? within, Func<TimeSpan, CancellationToken, Task<string?>> attempt, CancellationToken cancellationToken)
    {
        if (within is not { } longest)
        {
            if (await attempt(context.CommandLimit, cancellationToken) is { } problem)
            {
                throw new StepFailedException($"{machine}: {problem}.");
            }

            return;
        }

        TimeSpan limit = context.Scale(longest);
        long start = context.Clock.GetTimestamp();
        string last = "it did not end once";
        using var timer = new CancellationTokenSource(limit, context.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        try
        {
            for (int number = 1; ; number++)
            {
                context.Output.Restart();
                if (await attempt(longest, either.Token) is not { } problem)
                {
                    return;
                }

                last = string.Create(CultureInfo.InvariantCulture, $"{problem}, in the last of {number} attempts");
                await Task.Delay(s_pause, context.Clock, either.Token);
            }
        }
        catch (Exception ended) when (!cancellationToken.IsCancellationRequested && TimeIsUp(ended, timer))
        {
            string passed = Quantities.Format(TimeSpan.FromSeconds(Math.Round(context.Clock.GetElapsedTime(start).TotalSeconds, 1)));
            throw new StepFailedException($"{machine}: not within {Quantities.Format(longest)} ({passed} passed): {last}.");
        }
    }

    private static bool TimeIsUp(Exception ended, CancellationTokenSource timer) => ended switch
    {
        OperationCanceledException => timer.IsCancellationRequested,
        VirtigoException { Kind: FailureKind.TimedOut } => true,
        _ => false,
    };
}
