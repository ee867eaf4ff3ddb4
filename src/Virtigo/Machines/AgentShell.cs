using Virtigo.Host;

namespace Virtigo.Machines;

/// <summary>
/// Runs commands through qemu-guest-agent alone, for guests without perl, or without a channel for streams. The end of a command is polled for, output comes at the end,
/// and a command that is given up runs on.
/// </summary>
/// <param name="agent">The agent; not disposed.</param>
/// <param name="clock">Measures.</param>
/// <param name="hypervisor">The hypervisor's name, when its guests have no channel for streams.</param>
internal sealed class AgentShell(GuestAgent agent, TimeProvider clock, string? hypervisor = null) : IGuestShell
{
    /// <inheritdoc/>
    public async Task<CommandResult> ExecuteAsync(string command, CommandOptions options, CancellationToken cancellationToken)
    {
        if (options.InputStream is not null || options.Input.Length > 0 || options.Terminal is not null)
        {
            throw NeedsStreams("Commands with input or a terminal");
        }

        long start = clock.GetTimestamp();
        try
        {
            GuestCommandResult result = await agent.RunAsync("/bin/sh", ["-c", ShellCommand.Wrap(command, options)], cancellationToken);
            options.OnOutput?.Invoke(result.Output, false);
            options.OnOutput?.Invoke(result.Error, true);
            bool cut = result.Output.Length > options.OutputLimit || result.Error.Length > options.OutputLimit;
            return new CommandResult(result.ExitCode, Text(result.Output, options), Text(result.Error, options), result.Truncated || cut, clock.GetElapsedTime(start));
        }
        catch (Exception error) when (error is IOException or InvalidDataException or GuestAgentException)
        {
            throw new VirtigoException(FailureKind.Guest, $"The guest's agent cannot run a command: {error.Message}", inner: error);
        }
    }

    /// <inheritdoc/>
    public Task<GuestProcess> StartAsync(IReadOnlyList<string> arguments, CommandOptions options, CancellationToken cancellationToken)
    {
        if (options.Terminal is not null)
        {
            throw NeedsStreams("Terminals");
        }

        string command = "exec " + ShellQuote.Command(arguments[0], arguments.Skip(1));
        return Task.FromResult(AgentProcess.Start(
            async (said, token) => (await ExecuteAsync(command, options with { OnOutput = said }, token)).ExitCode, NeedsStreams));
    }

    /// <inheritdoc/>
    public Task<Stream> ConnectAsync(string target, CancellationToken cancellationToken) => throw NeedsStreams("Connections");

    /// <inheritdoc/>
    public Task WaitAsync(GuestCondition condition, Action<string> seen, CancellationToken cancellationToken) =>
        ConditionPolling.WaitAsync(this, condition, seen, clock, cancellationToken);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private VirtigoException NeedsStreams(string what) => hypervisor is null
        ? new(FailureKind.Guest, $"{what} need perl in the guest, and it has none.", "Add the package perl-base to the machine.")
        : new(FailureKind.Guest, $"{what} need a channel for streams, which guests of {hypervisor} do not have.", "Run the machine by qemu, whose guests have one.");

    private static string Text(byte[] bytes, CommandOptions options) =>
        System.Text.Encoding.UTF8.GetString(bytes.AsSpan(0, Math.Min(bytes.Length, options.OutputLimit)));
}
