namespace Virtigo.Environments;

/// <summary>Things that several owners need: they are disposed when the last owner is done.</summary>
internal sealed class SharedHold(IReadOnlyList<IDisposable> held)
{
    private int _owners;

    /// <summary>Becomes an owner, until what is returned is disposed.</summary>
    public IDisposable Share()
    {
        Interlocked.Increment(ref _owners);
        return new Owner(this);
    }

    private void Release()
    {
        if (Interlocked.Decrement(ref _owners) == 0)
        {
            foreach (IDisposable one in held.Reverse())
            {
                one.Dispose();
            }
        }
    }

    private sealed class Owner(SharedHold hold) : IDisposable
    {
        private SharedHold? _hold = hold;

        public void Dispose() => Interlocked.Exchange(ref _hold, null)?.Release();
    }
}
