using Virtigo.Hypervisors;

namespace Virtigo.Machines;

public sealed partial class Machine
{
    /// <summary>Makes a disk faulty, or whole again. It lasts until the next power-on.</summary>
    /// <param name="disk">The disk, from 0.</param>
    /// <param name="fault">What is wrong with it from now on; replaces an earlier fault.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such disk, or the speed of a slow one is below 1024 bytes a second.</exception>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the machine is off.</exception>
    public Task SetDiskFaultAsync(int disk, DiskFault fault, CancellationToken cancellationToken) =>
        Running().Guest.SetDiskFaultAsync(disk, fault, cancellationToken);
}
