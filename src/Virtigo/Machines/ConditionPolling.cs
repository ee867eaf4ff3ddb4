namespace Virtigo.Machines;

/// <summary>Waits for conditions by asking again and again, for guests in which nothing can watch.</summary>
internal static class ConditionPolling
{
    private static readonly TimeSpan s_first = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(2);
    private const int OutputLimit = 4096;

    /// <summary>Waits until the condition holds.</summary>
    /// <param name="shell">Where to ask.</param>
    /// <param name="condition">What to wait for.</param>
    /// <param name="seen">Told the last state.</param>
    /// <param name="clock">For the pauses.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task WaitAsync(
        IGuestShell shell, GuestCondition condition, Action<string> seen, TimeProvider clock, CancellationToken cancellationToken)
    {
        var options = new CommandOptions { OutputLimit = OutputLimit };
        for (TimeSpan pause = s_first; ; pause = pause < s_longest ? pause * 2 : s_longest)
        {
            CommandResult result = await shell.ExecuteAsync(condition.ShellTest, options, cancellationToken);
            if (result.Succeeded)
            {
                return;
            }

            seen(FormattableString.Invariant($"{(result.Output + result.Error).Trim()} (exit code {result.ExitCode})"));
            await Task.Delay(pause, clock, cancellationToken);
        }
    }
}
