using Virtigo.Environments.Steps;
using Virtigo.Machines;

namespace Virtigo.Environments;

/// <summary>One client's connection: one request, its answer, and the streams that follow some answers.</summary>
/// <param name="wire">The connection; not disposed.</param>
/// <param name="target">What is asked.</param>
/// <param name="clock">Measures.</param>
internal sealed class ControlSession(ControlWire wire, IControlTarget target, TimeProvider clock)
{
    private const int MostLines = 100_000;
    private static readonly TimeSpan s_requestLimit = TimeSpan.FromSeconds(30);

    /// <summary>Serves the connection to its end.</summary>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>Whether the client asked for the end of the environment, and awaits an answer.</returns>
    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        ControlRequest? request = await RequestAsync(cancellationToken);
        if (request is null or { Verb: ControlVerb.Down })
        {
            return request is not null;
        }

        await using var inbox = new ControlInbox(wire, cancellationToken);
        try
        {
            await ServeAsync(request, inbox);
        }
#pragma warning disable CA1031 // Whatever it is, it is the client's to know, and no reason for the environment to end.
        catch (Exception failure) when (!inbox.Gone.IsCancellationRequested)
#pragma warning restore CA1031
        {
            await wire.SendAsync(ControlFrameType.Answer, new ControlAnswer { Error = ControlError.Of(failure) }, ControlJson.Default.ControlAnswer, inbox.Gone);
        }

        return false;
    }

    /// <summary>Tells the client that the environment is gone.</summary>
    public Task AnswerDownAsync(CancellationToken cancellationToken) => AnswerAsync(new ControlAnswer(), cancellationToken);

    private async Task<ControlRequest?> RequestAsync(CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(s_requestLimit, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        return await wire.ReadAsync(either.Token) is { } frame
            ? ControlWire.Message(frame, ControlFrameType.Request, ControlJson.Default.ControlRequest)
            : null;
    }

    private async Task ServeAsync(ControlRequest request, ControlInbox inbox)
    {
        CancellationToken gone = inbox.Gone;
        string machine = request.Machine ?? "";
        switch (request.Verb)
        {
            case ControlVerb.Status:
                await AnswerAsync(new ControlAnswer { Status = target.Status() }, gone);
                break;
            case ControlVerb.Power when Enum.IsDefined(request.Power):
                await target.PowerAsync(machine, request.Power, gone);
                await AnswerAsync(new ControlAnswer(), gone);
                break;
            case ControlVerb.ConsoleTail when request.Lines is >= 1 and <= MostLines:
                await AnswerAsync(new ControlAnswer { Text = target.ConsoleTail(machine, request.Lines) }, gone);
                break;
            case ControlVerb.Ssh:
                await target.PrepareSshAsync(request.Machine, gone);
                await AnswerAsync(new ControlAnswer(), gone);
                break;
            case ControlVerb.Start when request.Arguments is { Count: > 0 } arguments:
                await using (GuestProcess process = await target.StartAsync(machine, arguments, Options(request), gone))
                {
                    await AnswerAsync(new ControlAnswer(), gone);
                    await RunAsync(process, inbox);
                }

                break;
            case ControlVerb.Connect when request.Port is >= 1 and <= ushort.MaxValue:
                await using (Stream connection = await target.ConnectAsync(machine, request.Port, gone))
                {
                    await AnswerAsync(new ControlAnswer(), gone);
                    await JoinAsync(connection, inbox);
                }

                break;
            case ControlVerb.Console:
                await using (Stream console = target.OpenConsole(machine))
                {
                    await AnswerAsync(new ControlAnswer(), gone);
                    await JoinAsync(console, inbox);
                }

                break;
            case ControlVerb.Steps when request is { Steps: { Count: > 0 } texts, Folder: { } folder } && Path.IsPathFullyQualified(folder):
                IReadOnlyList<Step> steps = StepReader.ReadTexts(texts, target.Status().Machines.Select(one => one.Name).ToArray());
                await AnswerAsync(new ControlAnswer(), gone);
                using (var running = new ControlSteps(wire, output => target.Steps(folder, output), clock, gone))
                {
                    await running.RunAsync(steps);
                }

                break;
            default:
                throw new VirtigoException(FailureKind.Usage, $"The keeper of the environment does not understand {request.Verb} as it was asked.",
                    "Use the version of virtigo that started it, or start it anew.");
        }
    }

    private static CommandOptions Options(ControlRequest request) => new()
    {
        User = request.User,
        WorkingDirectory = request.Folder,
        Environment = request.Environment ?? System.Collections.ObjectModel.ReadOnlyDictionary<string, string>.Empty,
        Terminal = request.Terminal is { } type
            ? new TerminalOptions(type, Math.Clamp(request.Columns, 1, ushort.MaxValue), Math.Clamp(request.Rows, 1, ushort.MaxValue))
            : null,
    };

    private Task AnswerAsync(ControlAnswer answer, CancellationToken cancellationToken) =>
        wire.SendAsync(ControlFrameType.Answer, answer, ControlJson.Default.ControlAnswer, cancellationToken);

    /// <summary>Joins a process and the client until the process has ended and its output is sent.</summary>
    private async Task RunAsync(GuestProcess process, ControlInbox inbox)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(inbox.Gone);
        Task[] sides =
        [
            inbox.FeedAsync(process.Input, process.Input.Dispose, ended.Token),
            inbox.ObeyAsync(process, ended.Token),
        ];
        await LastAsync(async () =>
        {
            await Task.WhenAll(
                ShowAsync(process.Output, ControlFrameType.Output, inbox.Gone), ShowAsync(process.Error, ControlFrameType.Error, inbox.Gone));
            return await process.Exited.WaitAsync(inbox.Gone);
        }, inbox.Gone);
        await EndAsync(ended, sides);
    }

    /// <summary>Joins a connection and the client until the connection's other side has ended.</summary>
    private async Task JoinAsync(Stream connection, ControlInbox inbox)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(inbox.Gone);
        Task feeding = inbox.FeedAsync(connection, () => StreamJoining.EndSending(connection), ended.Token);
        await LastAsync(async () =>
        {
            await ShowAsync(connection, ControlFrameType.Output, inbox.Gone);
            return 0;
        }, inbox.Gone);
        await EndAsync(ended, feeding);
    }

    /// <summary>Sends the last frame: the exit code, or why there is none.</summary>
    private async Task LastAsync(Func<Task<int>> ending, CancellationToken gone)
    {
        int code;
        try
        {
            code = await ending();
        }
#pragma warning disable CA1031 // As above: the client's to know.
        catch (Exception failure) when (!gone.IsCancellationRequested)
#pragma warning restore CA1031
        {
            await wire.SendAsync(ControlFrameType.Failure, ControlError.Of(failure), ControlJson.Default.ControlError, gone);
            return;
        }

        await wire.SendAsync(ControlFrameType.Exit, code, gone);
    }

    private async Task ShowAsync(Stream output, ControlFrameType type, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[ControlWire.Piece];
        for (int read; (read = await output.ReadAsync(buffer, cancellationToken)) > 0;)
        {
            await wire.SendAsync(type, buffer.AsMemory(0, read), cancellationToken);
        }
    }

    private static async Task EndAsync(CancellationTokenSource ended, params Task[] sides)
    {
        await ended.CancelAsync();
        await Task.WhenAll(sides).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
