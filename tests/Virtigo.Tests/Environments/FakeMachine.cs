using System.Text;
using Virtigo.Environments.Steps;
using Virtigo.Hypervisors;
using Virtigo.Machines;

namespace Virtigo.Tests.Environments;

/// <summary>A machine that writes down what is done to it, and answers commands as the test says.</summary>
internal sealed class FakeMachine(string name, List<string> done) : IStepMachine
{
    public Func<string, CommandOptions, CancellationToken, Task<CommandResult>> Answer { get; init; } =
        (_, _, _) => Task.FromResult(new CommandResult(0, "", "", false, TimeSpan.Zero));

    public static CommandResult Result(int code, string output = "") => new(code, output, "", false, TimeSpan.Zero);

    public Task<CommandResult> ExecuteAsync(string command, CommandOptions options, CancellationToken cancellationToken)
    {
        options.OnOutput?.Invoke(Encoding.UTF8.GetBytes($"ran {command}\n"), false);
        return Answer(command, options, cancellationToken);
    }

    public Task PowerAsync(PowerAction action, CancellationToken cancellationToken) => Do(action.ToString());

    public Task WaitAsync(WaitKind kind, string text, int port, TimeSpan limit, CancellationToken cancellationToken) =>
        Do($"wait {kind} {text}{port} {limit.TotalSeconds}");

    public Task CopyInAsync(string from, string to, CancellationToken cancellationToken) => Do($"in {Path.GetFileName(from)} {to}");

    public Task CopyOutAsync(string from, string to, CancellationToken cancellationToken) => Do($"out {from} {to}");

    public Task<byte[]> ScreenshotAsync(CancellationToken cancellationToken) => Task.FromResult<byte[]>([1, 2, 3]);

    public Task<string> ScreenTextAsync(CancellationToken cancellationToken) => Task.FromResult("server login:");

    public Task<string> JournalAsync(string? unit, CancellationToken cancellationToken) => Task.FromResult($"journal of {unit ?? "all"}");

    public Task SendKeysAsync(string chord, CancellationToken cancellationToken) => Do($"press {chord}");

    public Task TypeAsync(string text, CancellationToken cancellationToken) => Do($"type {text}");

    public async Task<string> SysRqAsync(string key, CancellationToken cancellationToken)
    {
        await Do($"sysrq {key}");
        return $"sysrq: {key}";
    }

    public Task SetClockAsync(DateTimeOffset moment, CancellationToken cancellationToken) => Do($"clock {moment.Year}");

    public Task MoveClockAsync(TimeSpan jump, CancellationToken cancellationToken) => Do($"jump {jump.TotalMinutes}");

    public Task SkewClockAsync(double partsPerMillion, CancellationToken cancellationToken) => Do($"skew {partsPerMillion}");

    public Task SetDiskFaultAsync(string disk, DiskFault fault, CancellationToken cancellationToken) => Do($"disk {disk} {fault.Kind}");

    private Task Do(string what)
    {
        lock (done)
        {
            done.Add($"{name}: {what}");
        }

        return Task.CompletedTask;
    }
}
