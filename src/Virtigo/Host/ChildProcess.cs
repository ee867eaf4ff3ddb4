using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Virtigo.Host;

/// <summary>
/// A child process that cannot outlive us: the kernel kills it when this process ends, however that happens.
/// It runs in a session of its own, so that Ctrl-C reaches only us. Disposing kills it.
/// </summary>
internal sealed partial class ChildProcess : IAsyncDisposable
{
    /// <summary>The most that is kept of what a child says, in bytes.</summary>
    public const int TailLimit = 16 << 10;

    private const int NoSignal = 0;
    private const int KillSignal = 9;
    private const int Cont = 18;

    // The end of our side of the pipe is the end of us: the only thing that is told to all processes of a group when their first is killed with us.
    private const string Guard = "{ read -r end; kill -9 -$$; } </proc/$$/fd/0 >/dev/null 2>&1 & ";

    private static readonly TimeSpan GroupEndLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan GroupEndStep = TimeSpan.FromMilliseconds(2);
    private readonly Process _process;
    private readonly ByteTail _tail = new(TailLimit);

    private ChildProcess(ChildCommand command, Process process)
    {
        Command = command;
        _process = process;
        Id = process.Id;
        var drains = new List<Task> { DrainAsync(process.StandardError.BaseStream) };
        if (!command.PipeOutput)
        {
            drains.Add(DrainAsync(process.StandardOutput.BaseStream));
        }

        if (!command.PipeInput && !command.LeavesProcesses)
        {
            process.StandardInput.Close();
        }

        Exited = WaitAsync(drains);
    }

    /// <summary>The command that was started.</summary>
    public ChildCommand Command { get; }

    /// <summary>The process id.</summary>
    public int Id { get; }

    /// <summary>
    /// Completes, never faults, with the exit code (128 + n when signal n ended it), after everything the child said was read.
    /// </summary>
    public Task<int> Exited { get; }

    /// <summary>The last of what the child wrote to its standard error (and output, if that is not piped).</summary>
    public string ErrorTail
    {
        get
        {
            lock (_tail)
            {
                return _tail.ToString();
            }
        }
    }

    /// <summary>The child's standard input. Only with <see cref="ChildCommand.PipeInput"/>.</summary>
    public Stream Input => _process.StandardInput.BaseStream;

    /// <summary>The child's standard output. Only with <see cref="ChildCommand.PipeOutput"/>.</summary>
    public Stream Output => _process.StandardOutput.BaseStream;

    /// <summary>Starts a child.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when the program is not installed or cannot be started.</exception>
    public static async Task<ChildProcess> StartAsync(ChildCommand command, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        string program = HostTools.Require(command.Program);
        var start = new ProcessStartInfo(HostTools.Require("setpriv"))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = command.WorkingDirectory ?? "",
        };
        foreach (string argument in OwnedBy(Environment.ProcessId, program, command.Arguments, command.LeavesProcesses, command.StartStopped))
        {
            start.ArgumentList.Add(argument);
        }

        foreach ((string name, string value) in command.Environment)
        {
            start.Environment[name] = value;
        }

        try
        {
            return new ChildProcess(command, await ChildStarter.StartAsync(start, command.Inherited));
        }
        catch (Exception error) when (error is System.ComponentModel.Win32Exception or IOException)
        {
            throw new VirtigoException(FailureKind.Host, $"{command.Program} cannot be started: {error.Message}",
                "Rerun: " + command, error);
        }
    }

    /// <summary>
    /// The arguments for setpriv that tie a program to its parent. The signal on the parent's death is asked for first; only then
    /// does the shell look who its parent is, so that a parent which died in between is noticed and the program never starts.
    /// </summary>
    internal static IEnumerable<string> OwnedBy(int parent, string program, IEnumerable<string> arguments, bool leavesProcesses = false, bool startStopped = false)
    {
        string guard = leavesProcesses ? Guard : "";
        string stop = startStopped ? "kill -STOP $$; " : "";
        return
        [
            "--pdeathsig", "KILL", "--", "setsid", "--",
            "/bin/sh", "-c", $"[ \"$PPID\" = {parent} ] || exit 125; {guard}{stop}exec \"$@\"", "sh", program, .. arguments,
        ];
    }

    /// <summary>Lets a child go on that stopped itself at its start.</summary>
    public void Continue() => _ = SignalGroup(-Id, Cont);

    /// <summary>Kills the child and what it started. Does nothing to one that has ended.</summary>
    public void Kill()
    {
        try
        {
            _process.Kill(entireProcessTree: true);
        }
        catch (Exception error) when (error is InvalidOperationException or AggregateException or System.ComponentModel.Win32Exception)
        {
            // It has ended, or is ending: Exited tells.
        }

        if (Command.LeavesProcesses && !Exited.IsCompleted)
        {
            _ = SignalGroup(-Id, KillSignal);
        }
    }

    /// <summary>Kills the child and waits for its end.</summary>
    public async ValueTask DisposeAsync()
    {
        Kill();
        await Exited;
        _process.Dispose();
    }

    private async Task<int> WaitAsync(List<Task> drains)
    {
        await _process.WaitForExitAsync();
        int code = _process.ExitCode;
        if (Command.LeavesProcesses)
        {
            // What it left has its output open. The guard at least is in the group, so its number is nobody else's yet.
            _ = SignalGroup(-Id, KillSignal);
            await GroupEndAsync();
        }

        await Task.WhenAll(drains);
        return code;
    }

    /// <summary>
    /// Waits until nothing of the group is left: they die in their own time, and are nobody's children whose end we would be told. Where nobody
    /// buries orphans, they are dead all the same when the limit is over.
    /// </summary>
    private async Task GroupEndAsync()
    {
        long start = TimeProvider.System.GetTimestamp();
        while (SignalGroup(-Id, NoSignal) == 0 && TimeProvider.System.GetElapsedTime(start) < GroupEndLimit)
        {
            await Task.Delay(GroupEndStep);
        }
    }

    private async Task DrainAsync(Stream stream)
    {
        byte[] buffer = new byte[4096];
        try
        {
            for (int read; (read = await stream.ReadAsync(buffer)) > 0;)
            {
                lock (_tail)
                {
                    _tail.Append(buffer.AsSpan(0, read));
                }
            }
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            // The pipe broke: there is no more to keep.
        }
    }

    // Safe: two integers, no memory of ours.
    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SignalGroup(int process, int signal);
}
