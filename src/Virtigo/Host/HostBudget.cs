using System.Globalization;

namespace Virtigo.Host;

/// <summary>
/// Hands out the host's memory to environments and builds, those of all this user's processes together, so that guests that use all they were
/// promised still fit beside the host's other programs. A reservation ends with its process, however that ends.
/// </summary>
internal sealed class HostBudget
{
    /// <summary>What a guest's hypervisor needs beside the guest's memory, in MiB: its own memory and translated code.</summary>
    public const int OverheadMiB = 160;

    private static readonly TimeSpan s_recheck = TimeSpan.FromMilliseconds(500);
    private readonly string _folder;
    private readonly Func<long> _totalMiB;
    private readonly Func<long> _availableMiB;
    private readonly TimeProvider _clock;
    private readonly Lock _gate = new();
    private TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Opens the budget.</summary>
    /// <param name="paths">Where reservations are noted.</param>
    /// <param name="clock">For waits.</param>
    /// <param name="totalMiB">What may be reserved in all, in MiB; null for what this host, or this container, can give.</param>
    /// <param name="availableMiB">What the host's programs have left of its memory now, in MiB; null to ask the host.</param>
    public HostBudget(HostPaths paths, TimeProvider clock, Func<long>? totalMiB = null, Func<long>? availableMiB = null) =>
        (_folder, _clock, _totalMiB, _availableMiB) =
            (paths.Budget, clock, totalMiB ?? HostMemory.ForGuestsMiB, availableMiB ?? HostMemory.AvailableMiB);

    /// <summary>Opens the budget of guests whose memory is not that of the host's programs.</summary>
    /// <param name="paths">Where reservations are noted.</param>
    /// <param name="clock">For waits.</param>
    /// <param name="kind">What sets them apart, a name for a folder.</param>
    /// <param name="totalMiB">What may be reserved in all, in MiB.</param>
    public HostBudget(HostPaths paths, TimeProvider clock, string kind, long totalMiB)
        : this(paths, clock, () => totalMiB, () => totalMiB) => _folder = Path.Combine(paths.Budget, kind);

    /// <summary>What may be reserved in all, in MiB.</summary>
    public long TotalMiB => _totalMiB();

    /// <summary>Reserves memory, after those who asked before.</summary>
    /// <param name="mib">How much, in MiB.</param>
    /// <param name="what">What for, for messages.</param>
    /// <param name="waiting">Called once when others must end first.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="VirtigoException">
    /// It is more than the host has, or than other programs leave of it while none runs (<see cref="FailureKind.Host"/>).
    /// </exception>
    public async Task<IDisposable> ReserveAsync(long mib, string what, Action? waiting, CancellationToken cancellationToken)
    {
        if (mib > TotalMiB)
        {
            throw new VirtigoException(FailureKind.Host, $"{what} needs {mib} MiB of memory; this host can give guests {TotalMiB} MiB.",
                "Give the machines less memory, or free some of the host's.");
        }

        // Who waits holds the queue, so that a small environment does not overtake a large one for ever.
        using FileLock queue = await FileLock.AcquireAsync(Path.Combine(_folder, "queue"), null, cancellationToken);
        for (bool told = false; ; told = true)
        {
            Task released;
            lock (_gate)
            {
                released = _released.Task;
            }

            (long reserved, HashSet<int> owners) = Reserved();
            long available = _availableMiB();
            if (reserved + mib <= TotalMiB && Untouched(reserved, owners, available - mib) + mib <= available)
            {
                return Reservation.Make(this, _folder, mib);
            }

            if (reserved == 0)
            {
                throw new VirtigoException(FailureKind.Host, $"{what} needs {mib} MiB of memory; other programs leave {Math.Max(0, available)} MiB of this host's.",
                    "End some of them, or give the machines less memory.");
            }

            if (!told)
            {
                waiting?.Invoke();
            }

            // Other processes end without telling us; looking again is all there is.
            await Task.WhenAny(released, Task.Delay(s_recheck, _clock, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>What was reserved and is not used yet, in MiB; not looked at more closely than is needed to tell whether it is within a limit.</summary>
    private static long Untouched(long reserved, HashSet<int> owners, long limit) =>
        reserved <= limit ? reserved : Math.Max(0, reserved - owners.Sum(HostMemory.OfChildrenMiB));

    private (long MiB, HashSet<int> Owners) Reserved()
    {
        long sum = 0;
        var owners = new HashSet<int>();
        foreach (string file in Directory.EnumerateFiles(_folder, "*.mib"))
        {
            using FileLock? abandoned = FileLock.TryAcquire(file);
            string[] name = Path.GetFileName(file).Split('-');
            if (abandoned is not null)
            {
                File.Delete(file);
            }
            else if (name.Length == 3 && long.TryParse(name[0], NumberStyles.None, CultureInfo.InvariantCulture, out long mib)
                && int.TryParse(name[1], NumberStyles.None, CultureInfo.InvariantCulture, out int owner))
            {
                sum += mib;
                owners.Add(owner);
            }
        }

        return (sum, owners);
    }

    private void Released()
    {
        TaskCompletionSource released;
        lock (_gate)
        {
            (released, _released) = (_released, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        released.SetResult();
    }

    /// <summary>A locked file whose name says how much, and whose it is.</summary>
    private sealed class Reservation : IDisposable
    {
        private readonly HostBudget _budget;
        private readonly string _file;
        private FileLock? _held;

        private Reservation(HostBudget budget, string file, FileLock held) => (_budget, _file, _held) = (budget, file, held);

        public static Reservation Make(HostBudget budget, string folder, long mib)
        {
            string file = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{mib}-{Environment.ProcessId}-{Guid.NewGuid():N}.mib"));
            return new Reservation(budget, file, FileLock.TryAcquire(file)!);
        }

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _held, null) is { } held)
            {
                File.Delete(_file);
                held.Dispose();
                _budget.Released();
            }
        }
    }
}
