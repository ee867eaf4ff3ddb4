using System.Text;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Images;
using Virtigo.Machines;

namespace Virtigo.Appliances;

/// <summary>How an image is run.</summary>
public sealed record RunOptions
{
    /// <summary>The accelerator. Default: the one that the image was built with, if it is still there.</summary>
    public Accelerator Accelerator { get; init; }

    /// <summary>The memory in MiB. Default: what the appliance asks for.</summary>
    public int? MemoryMiB { get; init; }

    /// <summary>The number of virtual CPUs. Default: 1.</summary>
    public int? Cpus { get; init; }
}

/// <summary>A throw-away copy of an image, running: nothing that it writes is kept, and it has no network.</summary>
public sealed class ImageRun : IAsyncDisposable
{
    private const string ConsoleName = "console";
    private readonly ImageLease _lease;
    private readonly WorkFolder _work;
    private readonly SocketFolder _sockets;
    private readonly IGuest _guest;

    private ImageRun(ImageLease lease, WorkFolder work, SocketFolder sockets, IGuest guest)
    {
        (_lease, _work, _sockets, _guest) = (lease, work, sockets, guest);
        Console = guest.OpenSerial(ConsoleName);
    }

    /// <summary>The serial console: reading gives what the machine prints, from power-on; what is written is typed.</summary>
    public Stream Console { get; }

    /// <summary>Completes when the machine has ended.</summary>
    public Task<GuestExit> Exited => _guest.Exited;

    /// <summary>Starts a copy.</summary>
    /// <param name="paths">Where the image store is.</param>
    /// <param name="hypervisor">What runs it.</param>
    /// <param name="image">The image.</param>
    /// <param name="options">How to run it.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    /// <exception cref="VirtigoException">The image was removed meanwhile, or the host cannot run it.</exception>
    public static async Task<ImageRun> StartAsync(
        HostPaths paths, IHypervisor hypervisor, StoredImage image, RunOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(hypervisor);
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(options);
        ImageLease lease = await new ImageStore(paths).LeaseAsync(image, cancellationToken);
        WorkFolder? work = null;
        SocketFolder? sockets = null;
        try
        {
            WorkFolder.Sweep(paths);
            work = WorkFolder.Create(paths, "run");
            sockets = SocketFolder.Create(paths);
            string overlay = Path.Combine(work.Path, "overlay.qcow2");
            await ImageStore.CreateOverlayAsync(image, overlay, cancellationToken);
            string folder = work.Path;
            IReadOnlyList<GuestDisk> further = await ImageStore.OverlayFurtherAsync(image, name => Path.Combine(folder, $"overlay-{name}.qcow2"), cancellationToken);
            GuestConfig machine = await ImageBoot.UnderAsync(
                hypervisor,
                new GuestConfig
                {
                    Name = image.Name,
                    WorkDirectory = sockets.Path,
                    Firmware = Firmwares.Of(image.Manifest.Firmware),
                    Cpus = options.Cpus ?? SpecKeys.DefaultCpus,
                    MemoryMiB = options.MemoryMiB ?? MemoryOf(image.Manifest),
                    Accelerator = options.Accelerator == Accelerator.Auto ? AcceleratorOf(image.Manifest) : options.Accelerator,
                    AgentChannel = true,
                    RestartOnReset = true,
                    Disks = [new GuestDisk(overlay, Hypervisors.DiskFormat.Qcow2) { Unsafe = true }, .. further],
                    Serials = [new GuestSerial(ConsoleName)],
                },
                image.DiskPath, folder, cancellationToken);
            IGuest guest = await hypervisor.StartAsync(machine, cancellationToken);
            return new ImageRun(lease, work, sockets, guest);
        }
        catch
        {
            sockets?.Dispose();
            work?.Dispose();
            lease.Dispose();
            throw;
        }
    }

    /// <summary>Waits until the machine's agent answers, then runs a program in the machine as its root.</summary>
    /// <param name="program">The program's path in the machine.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="cancellationToken">Ends the wait; the program goes on.</param>
    /// <returns>The program's exit code, and its output as UTF-8.</returns>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the machine ended or its agent cannot do it.</exception>
    public Task<(int ExitCode, string Output)> ExecuteAsync(string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken) =>
        AskAsync(program, async agent =>
        {
            GuestCommandResult result = await agent.RunAsync(program, arguments, cancellationToken);
            return (result.ExitCode, Encoding.UTF8.GetString(result.Output));
        }, cancellationToken);

    /// <summary>Waits until the machine's agent answers, then runs a shell command in the machine as its root. It takes no input.</summary>
    /// <param name="command">For <c>/bin/sh -c</c>.</param>
    /// <param name="options">How it runs; its limit is not scaled to the host.</param>
    /// <param name="cancellationToken">Ends the wait; the command goes on.</param>
    /// <returns>What it wrote and how it ended, whatever its exit code.</returns>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.TimedOut"/> after the limit, which begins when the agent answers;
    /// <see cref="FailureKind.Guest"/> when the machine ended or its agent cannot do it.
    /// </exception>
    public Task<Machines.CommandResult> ExecuteAsync(string command, CommandOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        return AskAsync("a command", async agent =>
        {
            using var limit = new CancellationTokenSource(options.Limit, TimeProvider.System);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            await using var shell = new AgentShell(agent, TimeProvider.System);
            try
            {
                return await shell.ExecuteAsync(command, options, either.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw new VirtigoException(FailureKind.TimedOut, $"\"{command}\" did not end within {options.Limit.TotalSeconds:0} s. It goes on in the machine.");
            }
        }, cancellationToken);
    }

    /// <summary>Gives the machine's kernel a SysRq command; what it answers is said on the console.</summary>
    /// <param name="key">The command: a letter or a digit.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the machine ended.</exception>
    public Task SysRqAsync(char key, CancellationToken cancellationToken) => _guest.SysRqAsync(ConsoleName, key, cancellationToken);

    /// <summary>Types a passphrase each time that the machine asks on its console for that of its disk, until it ends.</summary>
    /// <param name="passphrase">The passphrase.</param>
    /// <param name="cancellationToken">Ends it before.</param>
    public Task UnlockAsync(string passphrase, CancellationToken cancellationToken) =>
        DiskUnlock.AnswerAsync(_guest.OpenSerial(ConsoleName), new Passphrase(passphrase, ""), TimeProvider.System, cancellationToken);

    /// <summary>Whether the image's disk is encrypted, so that it asks for its passphrase when it boots.</summary>
    /// <param name="image">The image.</param>
    public static bool IsEncrypted(StoredImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return image.Manifest.Plan.Any(value => value.Key == "disk layout" && value.Value.StartsWith(DiskPlanner.EncryptedMark, StringComparison.Ordinal));
    }

    /// <summary>Waits until the machine's agent answers, then logs its serial console in as root, in this copy and until it boots again.</summary>
    /// <param name="size">The rows and columns of the terminal that shows the console, each 1 to 9999; null for 24 and 80.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the machine ended or could not do it.</exception>
    public async Task LogRootInAsync((int Rows, int Columns)? size, CancellationToken cancellationToken)
    {
        (int code, _) = await ExecuteAsync(RootConsole.Shell, ["-c", RootConsole.Script(size)], cancellationToken);
        if (code != 0)
        {
            throw new VirtigoException(FailureKind.Guest, $"The machine's serial console was not restarted (exit code {code}).");
        }
    }

    /// <summary>Ends the machine and removes the copy.</summary>
    public async ValueTask DisposeAsync()
    {
        await Console.DisposeAsync();
        await _guest.DisposeAsync();
        _sockets.Dispose();
        _work.Dispose();
        _lease.Dispose();
    }

    /// <summary>Whether an account of the image has a password. Without one, nobody can log in on a console.</summary>
    /// <param name="image">The image.</param>
    public static bool HasPassword(StoredImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return image.Manifest.Plan.Any(value =>
            value.Key is "root" or "user" && value.Value.Contains(ApplianceUser.PasswordSet, StringComparison.Ordinal));
    }

    private async Task<T> AskAsync<T>(string what, Func<GuestAgent, Task<T>> ask, CancellationToken cancellationToken)
    {
        using var agent = GuestAgent.Of(_guest, TimeProvider.System);
        try
        {
            await agent.WaitAsync(cancellationToken);
            return await ask(agent);
        }
        catch (Exception error) when (error is IOException or InvalidDataException or GuestAgentException)
        {
            throw new VirtigoException(FailureKind.Guest, $"The machine did not run {what}: {error.Message}", inner: error);
        }
    }

    internal static int MemoryOf(ImageManifest manifest) =>
        manifest.Plan.FirstOrDefault(value => value.Key == "memory") is { } memory && ByteSize.TryParse(memory.Value, out long bytes)
            && bytes >> 20 is >= 16 and <= int.MaxValue
            ? (int)(bytes >> 20)
            : SpecKeys.DefaultMemoryMiB;

    private static Accelerator AcceleratorOf(ImageManifest manifest) =>
        manifest.Proofs.Any(proof => proof.Hypervisor.Accelerator == "kvm") && File.Exists("/dev/kvm") ? Accelerator.Kvm : Accelerator.Tcg;
}
