using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Virtigo.Environments.Steps;

namespace Virtigo.Environments;

/// <summary>
/// Carries out steps for a client, in the process that keeps the environment: the faults they make stay when the client has gone. A client that
/// reads no output holds its commands up, as a pipe would, and nothing else.
/// </summary>
/// <param name="wire">The connection.</param>
/// <param name="context">Makes what a step runs with, given where its command's output goes.</param>
/// <param name="clock">Measures.</param>
/// <param name="gone">Cancelled when the client is gone: the step under way ends, no other begins.</param>
internal sealed class ControlSteps(ControlWire wire, Func<StepOutput, StepContext> context, TimeProvider clock, CancellationToken gone) : IDisposable
{
    private const int MostPieces = 64;
    private readonly SemaphoreSlim _room = new(MostPieces);
    private readonly Channel<(ControlFrameType Type, byte[] Payload)> _sending =
        Channel.CreateUnbounded<(ControlFrameType, byte[])>(new UnboundedChannelOptions { SingleReader = true });

    /// <summary>Carries them out until one fails, and tells the client of each; the last frame is the exit code.</summary>
    public async Task RunAsync(IReadOnlyList<Step> steps)
    {
        Task pumping = PumpAsync();
        int code = 0;
        try
        {
            foreach ((int index, Step step) in steps.Index())
            {
                Tell(new ControlStep { Number = index + 1 });
                long start = clock.GetTimestamp();
                ControlError? failure = await RunAsync(step);
                gone.ThrowIfCancellationRequested();
                Tell(new ControlStep { Number = index + 1, Seconds = clock.GetElapsedTime(start).TotalSeconds, Ended = true, Error = failure });
                if (failure is not null)
                {
                    code = (int)failure.Kind;
                    break;
                }
            }
        }
        finally
        {
            _sending.Writer.Complete();
            await pumping;
        }

        await wire.SendAsync(ControlFrameType.Exit, code, gone);
    }

    public void Dispose() => _room.Dispose();

    private async Task<ControlError?> RunAsync(Step step)
    {
        // Of a command that is tried again, the attempts that came to nothing are noise.
        bool isTriedAgain = step is CommandStep { Within: not null } or TextStep { Within: not null };
        var output = new StepOutput(isTriedAgain ? null : Pass);
        try
        {
            Task running = step.RunAsync(context(output), gone);
            try
            {
                await running.WaitAsync(gone);
            }
            finally
            {
                // A step that does not stop when told to is left to itself.
                _ = running.ContinueWith(late => late.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            }

            return null;
        }
#pragma warning disable CA1031 // Whatever it is, it is the client's to know, and no reason for the environment to end.
        catch (Exception failure) when (!gone.IsCancellationRequested)
#pragma warning restore CA1031
        {
            return StepFailedException.IsOfStep(failure)
                ? new ControlError(FailureKind.Test, failure.Message, (failure as VirtigoException)?.Hint)
                : ControlError.Of(failure);
        }
        finally
        {
            if (isTriedAgain)
            {
                PassAll(output.Output, ControlFrameType.Output);
                PassAll(output.Error, ControlFrameType.Error);
            }
        }
    }

    private void Tell(ControlStep step) =>
        _sending.Writer.TryWrite((ControlFrameType.Step, JsonSerializer.SerializeToUtf8Bytes(step, ControlJson.Default.ControlStep)));

    /// <summary>Passes output on; waits while too much is on its way.</summary>
    private void Pass(ReadOnlyMemory<byte> bytes, bool isError)
    {
        for (int at = 0; at < bytes.Length; at += ControlWire.Piece)
        {
            _room.Wait(gone);
            _sending.Writer.TryWrite((isError ? ControlFrameType.Error : ControlFrameType.Output,
                bytes.Slice(at, Math.Min(ControlWire.Piece, bytes.Length - at)).ToArray()));
        }
    }

    private void PassAll(string text, ControlFrameType type)
    {
        if (text.Length > 0)
        {
            _sending.Writer.TryWrite((type, Encoding.UTF8.GetBytes(text)));
        }
    }

    private async Task PumpAsync()
    {
        try
        {
            await foreach ((ControlFrameType type, byte[] payload) in _sending.Reader.ReadAllAsync(gone))
            {
                await wire.SendAsync(type, payload, gone);
                if (type is ControlFrameType.Output or ControlFrameType.Error && _room.CurrentCount < MostPieces)
                {
                    _room.Release();
                }
            }
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            // The client is gone, which ends the step too.
        }
    }
}
