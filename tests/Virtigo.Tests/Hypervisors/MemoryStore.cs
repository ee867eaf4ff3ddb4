using Virtigo.Hypervisors.Qemu.Nbd;

namespace Virtigo.Tests.Hypervisors;

/// <summary>A disk in memory that can be made to fail.</summary>
internal sealed class MemoryStore(int size) : IBlockStore
{
    public byte[] Bytes { get; } = new byte[size];

    public int Flushes { get; private set; }

    public bool Full { get; set; }

    public long Size => Bytes.Length;

    public Task ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        Bytes.AsMemory((int)offset, buffer.Length).CopyTo(buffer);
        return Task.CompletedTask;
    }

    public Task WriteAsync(long offset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        Fail();
        data.CopyTo(Bytes.AsMemory((int)offset));
        return Task.CompletedTask;
    }

    public Task ZeroAsync(long offset, long length, CancellationToken cancellationToken)
    {
        Fail();
        Bytes.AsSpan((int)offset, (int)length).Clear();
        return Task.CompletedTask;
    }

    public Task FlushAsync(CancellationToken cancellationToken)
    {
        Flushes++;
        return Task.CompletedTask;
    }

    private void Fail()
    {
        if (Full)
        {
            throw new NbdException(NbdWire.NoSpace);
        }
    }
}
