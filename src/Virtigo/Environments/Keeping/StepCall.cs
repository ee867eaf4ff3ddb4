using Virtigo.Environments.Steps;

namespace Virtigo.Environments;

/// <summary>Steps that a keeper carries out, as their client sees them.</summary>
/// <param name="wire">The connection, after the keeper's answer; not disposed.</param>
/// <param name="steps">The steps.</param>
/// <param name="options">How they are carried out.</param>
internal sealed class StepCall(ControlWire wire, IReadOnlyList<Step> steps, StepCallOptions options)
{
    private readonly StepCallResult[] _results =
        [.. steps.Index().Select(step => new StepCallResult(step.Index + 1, step.Item.Title, step.Item.Place.ToString(), step.Item.Machines))];

    private StepOutput _output = new();

    /// <summary>Passes on what happens, to the end.</summary>
    /// <exception cref="InvalidDataException">The keeper sent what it must not.</exception>
    public async Task<IReadOnlyList<StepCallResult>> RunAsync(CancellationToken cancellationToken)
    {
        while (await wire.ReadAsync(cancellationToken) is { } frame)
        {
            switch (frame.Type)
            {
                case ControlFrameType.Output or ControlFrameType.Error:
                    bool isError = frame.Type == ControlFrameType.Error;
                    _output.Append(frame.Payload, isError);
                    Stream to = isError ? options.Error : options.Output;
                    await to.WriteAsync(frame.Payload, cancellationToken);
                    await to.FlushAsync(cancellationToken);
                    break;
                case ControlFrameType.Step:
                    Take(ControlWire.Message(frame, ControlFrameType.Step, ControlJson.Default.ControlStep));
                    break;
                case ControlFrameType.Exit:
                    return _results;
                case ControlFrameType.Failure:
                    throw ControlWire.Message(frame, ControlFrameType.Failure, ControlJson.Default.ControlError).ToException();
            }
        }

        throw RunningEnvironment.Gone(null);
    }

    private void Take(ControlStep told)
    {
        if (told.Number < 1 || told.Number > _results.Length)
        {
            throw new InvalidDataException($"the number {told.Number} of a step");
        }

        ref StepCallResult result = ref _results[told.Number - 1];
        if (told.Ended)
        {
            result = result with
            {
                Elapsed = TimeSpan.FromSeconds(Math.Clamp(told.Seconds, 0, TimeSpan.FromDays(365).TotalSeconds)),
                Failure = told.Error?.ToException(),
                Output = _output.Output,
                Error = _output.Error,
                Truncated = _output.Truncated,
            };
        }
        else
        {
            _output = new StepOutput();
        }

        options.Progress?.Report(result);
    }
}
